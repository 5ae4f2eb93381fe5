"""What becomes of a finding, and who may say so."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from fleet.discovery.actions import deciding
from fleet.discovery.actions.deciding import draft_of
from fleet.discovery.actions.reminding import remind
from fleet.discovery.errors import (
    FindingNotFound,
    FindingReasonMissing,
    FindingSettled,
    NotYourFinding,
)
from fleet.discovery.models import Finding
from fleet.discovery.queries.figures import figures_for
from fleet.discovery.queries.findings import finding_for, findings_for
from fleet.telling.models import Message
from kernel import clock
from ledger.models import Entry
from registry.actors import Actor, RoleMissing
from registry.models import Agent
from tests.factories import Cast, actor, make_agent, make_route
from tests.fleet.discovery.rows import make_assigned, make_finding

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def sandbox(db: None) -> None:
    make_route()


def test_an_assigned_finding_becomes_a_draft_of_its_owner(cast: Cast) -> None:
    finding = make_finding("https://git.acme.test/fin/Expense_Bot", model_ids=["gpt-5"])
    deciding.assign_finding(finding, cast.alice, actor=actor(cast.sam))
    draft = draft_of(finding, cast.alice, backup_owner=cast.bob.email)

    agent = deciding.claim_finding(finding, draft, actor=actor(cast.alice))

    assert (agent.name, agent.stage, agent.owner) == ("expense-bot", "draft", cast.alice)
    finding.refresh_from_db()
    assert (finding.state, finding.agent) == ("claimed", agent)
    verbs = Entry.objects.filter(verb__startswith="finding.").order_by("id")
    assert [entry.verb for entry in verbs] == ["finding.assigned", "finding.claimed"]


def test_whoever_is_asked_is_told_and_reminded_once_for_each_step(cast: Cast) -> None:
    finding = make_finding("https://git.acme.test/secret-project")
    deciding.assign_finding(finding, cast.alice, actor=actor(cast.sam))
    told = Message.objects.get()
    assert "secret-project" not in told.title
    assert told.copies.get().person == cast.alice

    finding.due_on = clock.now().date() + timedelta(days=3)
    finding.save(update_fields=["due_on"])
    assert [remind(actor=Actor.system("test")) for _ in range(2)] == [1, 0]
    finding.due_on = clock.now().date() - timedelta(days=1)
    finding.save(update_fields=["due_on"])
    assert remind(actor=Actor.system("test")) == 1

    late = Message.objects.latest("pk")
    people = {copy.person for copy in late.copies.all() if copy.person}
    assert {cast.alice, cast.bob, cast.sam, cast.sue} <= people


def test_only_whom_it_is_assigned_to_sees_and_claims_it(cast: Cast) -> None:
    finding = make_assigned(cast.alice)

    with pytest.raises(FindingNotFound):
        finding_for(actor(cast.mallory), finding.public_id)
    with pytest.raises(NotYourFinding):
        deciding.claim_finding(finding, draft_of(finding, cast.bob), actor=actor(cast.bob))
    with pytest.raises(RoleMissing):
        deciding.dismiss_finding(finding, actor=actor(cast.alice), reason="mine")
    with pytest.raises(RoleMissing):
        deciding.assign_finding(finding, cast.bob, actor=actor(cast.ann))
    assert list(findings_for(actor(cast.alice))) == [finding]
    assert finding_for(actor(cast.ann), finding.public_id) == finding


def test_of_two_who_settle_one_wins(cast: Cast) -> None:
    finding = make_finding()
    same = Finding.objects.get()
    deciding.block_finding(finding, actor=actor(cast.sam), reason="Key revoked.")

    with pytest.raises(FindingSettled):
        deciding.dismiss_finding(same, actor=actor(cast.sue), reason="Nothing.")
    with pytest.raises(FindingSettled):
        deciding.assign_finding(same, cast.alice, actor=actor(cast.sue))


def test_settling_says_why_and_the_header_does_not(cast: Cast) -> None:
    finding = make_finding()
    with pytest.raises(FindingReasonMissing):
        deciding.dismiss_finding(finding, actor=actor(cast.sam), reason=" \x00 ")
    deciding.dismiss_finding(finding, actor=actor(cast.sam), reason="Jana tested something.")

    entry = Entry.objects.get(verb="finding.dismissed")
    assert b"Jana" not in bytes(entry.header)


def test_it_is_merged_into_an_agent_that_one_answers_for(cast: Cast) -> None:
    mine, theirs = make_agent("mine", owner=cast.alice), make_agent("theirs", owner=cast.mallory)
    finding = make_assigned(cast.alice)

    with pytest.raises(Exception, match="answer for"):
        deciding.merge_finding(finding, theirs, actor=actor(cast.alice))
    deciding.merge_finding(finding, mine, actor=actor(cast.alice))

    assert Finding.objects.get().agent == mine


def test_what_is_not_mine_goes_back_and_may_be_opened_again(cast: Cast) -> None:
    finding = make_assigned(cast.alice)
    deciding.hand_back_finding(finding, actor=actor(cast.alice), reason="It is Bob's.")
    assert (finding.state, finding.owner) == ("new", None)
    deciding.block_finding(finding, actor=actor(cast.sam), reason="Host refused.")
    deciding.reopen_finding(finding, actor=actor(cast.sam), reason="It is back.")
    assert finding.state == "new"


def test_a_claim_that_registers_nothing_settles_nothing(cast: Cast) -> None:
    finding = make_assigned(cast.alice)
    draft = replace(draft_of(finding, cast.alice), backup_owner="nobody@acme.test")

    with pytest.raises(Exception, match="nobody"):
        deciding.claim_finding(finding, draft, actor=actor(cast.alice))

    finding.refresh_from_db()
    assert finding.state == "assigned"
    assert not Agent.objects.exists()


def test_days_to_a_claim_are_the_median_of_what_people_answered(cast: Cast) -> None:
    now = clock.now()
    for days in (2, 4, 30):
        make_finding(
            state="blocked", reason="r", settled_at=now, found_at=now - timedelta(days=days)
        )
    make_finding(state="dismissed", reason="r", settled_at=now)
    make_finding(found_at=now - timedelta(days=9))
    make_assigned(cast.alice, due_on=now.date() - timedelta(days=1))

    figures = figures_for(actor(cast.sam))

    assert (figures.open, figures.overdue, figures.answered) == (2, 1, 3)
    assert figures.median_days == 4.0
    drawn = {each["label"]: each["values"] for each in figures.claims["series"]}
    assert (drawn["Median"][-1], drawn["Slowest"][-1]) == (4.0, 30.0)
    assert drawn["Median"][:-1] == [None] * 11
    assert figures.ages == [
        {"label": "up to a week", "value": 1}, {"label": "up to two weeks", "value": 1},
    ]  # fmt: skip
    assert figures_for(actor(cast.mallory)).open == 0
