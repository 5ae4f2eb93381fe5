"""Worth: days are counted, agents stand somewhere, a list is kept, and people answer it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.test import Client

from effects.models import Correction, Proposal
from fleet.health.models import AgentHealth
from fleet.telling.models import Message
from fleet.worth.actions.answering import answer_suggestion
from fleet.worth.actions.counting import count_days
from fleet.worth.actions.declaring import declare_value
from fleet.worth.actions.listing import list_ended_quarter, list_quarter_now, quarter_before
from fleet.worth.actions.standing import make_standings
from fleet.worth.errors import AlreadyAnswered
from fleet.worth.models import Answer, Listed, OutcomeDay, Standing
from fleet.worth.rules import Evidence, suggest
from kernel import clock
from kernel.errors import Conflict
from registry.actors import Actor
from registry.models import Agent, Person
from routing.models import ModelUse, RunSummary, UsageDay
from tests.effects.acts import make_approved, make_operation
from tests.factories import Cast, actor, make_agent, make_cast

pytestmark = pytest.mark.django_db
SYSTEM = Actor.system("test")
QUIET = Evidence(
    age_days=200, idle_days=0, is_orphan=False, weeks_negative=0, is_measured=True, decided=50,
    accepted_upper=0.99, calls=500, error_percent=0, gap_lower=None,
)  # fmt: skip


@pytest.fixture
def cast() -> Cast:
    return make_cast()


@pytest.fixture
def agent(cast: Cast) -> Agent:
    old = clock.now() - timedelta(days=300)
    return make_agent(
        "poster", owner=cast.alice, backup_owner=cast.bob, stage="live", created_at=old
    )


def ended(agent: Agent, operation: Any, state: str, **over: Any) -> Proposal:
    proposal = make_approved(operation, agent)
    given = {"state": state, "ended_at": clock.now(), "decided_how": "people"} | over
    Proposal.objects.filter(pk=proposal.pk).update(**given)
    return proposal


def work(agent: Agent) -> None:
    """Two accepted, one edited by a half, one rejected; a dollar of models; a good run."""
    operation, now = make_operation(), clock.now()
    for _ in range(2):
        ended(agent, operation, "succeeded")
    edited = ended(agent, operation, "succeeded", decided_digest="sha256:other")
    Correction.objects.create(
        proposal=edited, paths=4, paths_changed=2, words=0, words_changed=0, made_at=now
    )
    ended(agent, operation, "denied")
    ended(agent, operation, "denied", decided_how="policy")
    UsageDay.objects.create(
        day=now.date(), agent_id=agent.public_id, route="r", vendor="v", model="m", calls=10,
        cost_micros=1_000_000,
    )  # fmt: skip
    RunSummary.objects.create(
        run_id="run_1", agent_id=agent.public_id, label="l", started_at=now, last_at=now
    )


def count() -> None:
    count_days(actor=SYSTEM)
    make_standings(actor=SYSTEM)


def test_a_day_counts_what_people_made_of_it_once_however_often(agent: Agent) -> None:
    work(agent)
    count()
    count()
    day = OutcomeDay.objects.get()
    assert (day.action, day.accepted, day.edited, day.rejected) == ("crm.note", 2, 1, 1)
    assert day.kept_permille == 500


def test_earned_value_needs_a_declared_one_and_says_its_interval(
    cast: Cast, agent: Agent, client: Client
) -> None:
    work(agent)
    count()
    figures = Standing.objects.get().figures
    assert (figures["cost_micros"], figures["net_micros"]) == (1_000_000, None)
    client.force_login(cast.alice)
    page = "/agents/poster/worth/"
    assert "No value is declared" in client.get(page).content.decode()
    told = {"action": "crm.note", "value": "2.00", "because": "Ten minutes of a clerk."}
    client.post(f"{page}value/", told)
    count()
    figures = Standing.objects.get().figures
    assert figures["net_micros"] == 4_000_000
    assert figures["net_lower_micros"] < 4_000_000 < figures["net_upper_micros"]
    said = client.get(page).content.decode()
    assert "Ten minutes of a clerk." in said
    assert "Alice" in said


def test_a_value_of_a_run_is_declared_and_not_measured(
    cast: Cast, agent: Agent, client: Client
) -> None:
    work(agent)
    declare_value("poster", "run", 3_000_000, actor=actor(cast.alice), because="A guess.")
    count()
    client.force_login(cast.alice)
    assert "Declared, not measured" in client.get("/agents/poster/worth/").content.decode()
    assert Standing.objects.get().figures["net_micros"] == 2_000_000


def test_the_list_is_seen_by_whom_it_concerns(cast: Cast, agent: Agent, client: Client) -> None:
    work(agent)
    count()
    for viewer, sees in ((cast.alice, True), (cast.mallory, False), (cast.ann, True)):
        client.force_login(viewer)
        assert ("poster" in client.get("/worth/").content.decode()) is sees
    client.force_login(cast.mallory)
    assert client.get("/agents/poster/worth/").status_code == 403
    assert client.post("/worth/make/").status_code == 403


def listed(agent: Agent) -> Listed:
    agent.created_at = clock.now() - timedelta(days=300)
    agent.save(update_fields=["created_at"])
    list_quarter_now(actor=SYSTEM)
    return Listed.objects.get()


def test_a_list_is_kept_as_it_was_shown(cast: Cast, agent: Agent, client: Client) -> None:
    row = listed(agent)
    assert (row.suggestion, row.agent_name) == ("retire", "poster")
    for change in ("UPDATE worth_listed SET title = 'x'", "DELETE FROM worth_quarter"):
        with pytest.raises(IntegrityError, match="kept"), transaction.atomic():
            connection.cursor().execute(change)
    client.force_login(cast.alice)
    written = client.get(f"/worth/lists/{row.quarter.public_id}/csv/").content.decode()
    assert "poster" in written
    assert "It never made a call in 300 days" in written
    with pytest.raises(Conflict):
        list_quarter_now(actor=SYSTEM)


def told(person: Person) -> int:
    return Message.objects.filter(copies__person=person, kind="worth").distinct().count()


def test_an_owner_contests_with_evidence_and_somebody_else_decides(
    cast: Cast, agent: Agent, client: Client
) -> None:
    row = listed(agent)
    page = f"/worth/listed/{row.public_id}/"
    client.force_login(cast.mallory)
    assert client.post(f"{page}answer/", {"said": "accepted"}).status_code == 404
    client.force_login(cast.alice)
    client.post(f"{page}answer/", {"said": "contested", "because": ""})
    assert not Answer.objects.exists()
    client.post(f"{page}answer/", {"said": "contested", "because": "It runs once a year."})
    assert told(cast.pat) == 1
    waiting = f"/worth/lists/{row.quarter.public_id}/?said=contested"
    assert page in client.get(waiting).content.decode()
    assert client.post(f"{page}decide/", {"said": "lifted", "because": "x"}).status_code == 403
    client.force_login(cast.pat)
    before = told(cast.alice)
    client.post(f"{page}decide/", {"said": "lifted", "because": "Seasonal, as they say."})
    assert [row.said for row in Answer.objects.order_by("pk")] == ["contested", "lifted"]
    assert page not in client.get(waiting).content.decode()
    assert (told(cast.pat), told(cast.alice)) == (1, before + 1)
    assert "Seasonal" not in str(list(Message.objects.values()))
    assert "Seasonal, as they say." in client.get(page).content.decode()


def test_an_accepted_retirement_leads_to_where_it_is_planned(
    cast: Cast, agent: Agent, client: Client
) -> None:
    row = listed(agent)
    client.force_login(cast.alice)
    client.post(f"/worth/listed/{row.public_id}/answer/", {"said": "accepted"})
    assert "Plan its retirement" in client.get(f"/worth/listed/{row.public_id}/").content.decode()
    assert Agent.objects.get().stage == "live"


def test_the_list_of_a_quarter_that_is_over_is_made_once(agent: Agent) -> None:
    first = list_ended_quarter(actor=SYSTEM)
    assert first is not None
    assert first.is_final
    assert list_ended_quarter(actor=SYSTEM) is None
    since, until = quarter_before(clock.now().date())
    assert (first.since, first.until) == (since, until)


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({}, "keep"),
        ({"age_days": 3, "idle_days": None}, "keep"),
        ({"idle_days": 90}, "retire"),
        ({"is_orphan": True, "idle_days": 30}, "retire"),
        ({"is_orphan": True}, "tune"),
        ({"weeks_negative": 6}, "retire"),
        ({"weeks_negative": 6, "is_measured": False}, "keep"),
        ({"weeks_negative": 2}, "tune"),
        ({"like": "other"}, "merge"),
        ({"accepted_upper": 0.6}, "tune"),
        ({"accepted_upper": 0.6, "decided": 9}, "keep"),
        ({"error_percent": 12}, "tune"),
        ({"gap_lower": 0.3}, "tune"),
        ({"broken_days": 2}, "tune"),
        ({"broken_days": 1}, "keep"),
        ({"broken_days": 40, "idle_days": 35}, "retire"),
        ({"broken_days": 40}, "tune"),
    ],
)
def test_the_rules_suggest_what_they_say(change: dict[str, Any], what: str) -> None:
    found, reasons = suggest(replace(QUIET, **change))
    assert found == what
    assert reasons


def test_what_is_broken_is_told_with_why(cast: Cast, agent: Agent, client: Client) -> None:
    work(agent)
    AgentHealth.objects.create(
        agent=agent, status="down", rank=3, is_watched=True, reason="No heartbeat came.",
        since=clock.now() - timedelta(days=5),
    )  # fmt: skip
    ModelUse.objects.create(
        agent_id=agent.public_id, route="r", vendor="v", model="m", calls=1,
        first_called_at=clock.now(), last_called_at=clock.now(),
    )  # fmt: skip
    count()
    standing = Standing.objects.get()
    assert standing.suggestion == "tune"
    assert standing.reasons[0] == "Broken for 5 days: No heartbeat came."
    client.force_login(cast.alice)
    assert "Broken for 5 days" in client.get("/worth/").content.decode()


@pytest.mark.django_db(transaction=True)
def test_of_two_answers_at_once_one_is_kept_and_the_other_told_so() -> None:
    cast = make_cast()
    agent = make_agent("poster", owner=cast.alice, backup_owner=cast.bob, stage="live")
    row = listed(agent)

    def say(person: Any, said: str) -> Callable[[], Any]:
        who = actor(person)
        return lambda: answer_suggestion(row.public_id, said, actor=who, because="so")

    calls = [say(cast.alice, "accepted"), say(cast.bob, "contested")]
    gate = threading.Barrier(2)

    def run(call: Callable[[], Any]) -> Any:
        gate.wait(60)
        try:
            return call()
        except Conflict as refusal:
            return refusal
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as pool:
        outcomes = [each.result(60) for each in [pool.submit(run, call) for call in calls]]
    assert sum(isinstance(each, AlreadyAnswered) for each in outcomes) == 1
    assert Answer.objects.count() == 1
