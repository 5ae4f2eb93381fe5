from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection

from approvals import errors
from approvals.actions import decide_review, expire_reviews, submit_agent, withdraw_review
from approvals.models import Review, ReviewDecision
from approvals.queries import review_for, waiting_for
from approvals.tasks import expire_reviews as sweep
from kernel import clock
from kernel.refs import Ref
from ledger.models import Entry
from registry.actors import Actor, RoleMissing
from registry.errors.authentication import PersonDeactivated
from registry.models import Agent, AgentVersion, Person
from tests.factories import (
    Cast,
    actor,
    make_agent,
    make_manifest,
    make_person,
    make_route,
    make_version,
)


def submitted(cast: Cast, draft: Agent, **over: Any) -> Review:
    return submit_agent(draft.name, actor=actor(cast.alice), **over)


def approve(review: Review, person: Person, *roles: str) -> Review:
    return decide_review(review.public_id, actor=actor(person, *roles), decision="approve")


def verbs(agent: Agent) -> list[str]:
    entries = Entry.objects.filter(stream=f"agent:{agent.public_id}").order_by("seq")
    return list(entries.values_list("verb", flat=True))


def pass_time(review: Review) -> None:
    """Let the review's time run out, as the database counts it."""
    past = clock.now() - timedelta(seconds=1)
    Review.objects.filter(pk=review.pk).update(expires_at=past)


def rewrite_manifest(version: AgentVersion) -> None:
    """Change one byte of a manifest behind the service's back, as an insider would."""
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("ALTER TABLE registry_agentversion DISABLE TRIGGER USER")
        cursor.execute(
            "UPDATE registry_agentversion SET manifest = jsonb_set(manifest,"
            " '{metadata,description}', '\"What invoice-sorter does!\"') WHERE id = %s",
            [version.pk],
        )
        cursor.execute("ALTER TABLE registry_agentversion ENABLE TRIGGER USER")


def test_an_approval_launches_the_agent_in_the_same_breath(cast: Cast, draft: Agent) -> None:
    review = submitted(cast, draft)
    settled = approve(review, cast.sam)
    draft.refresh_from_db()
    assert settled.state == "approved"
    assert settled.settled_at is not None
    assert draft.stage == "soft_launch"
    assert draft.current_version is not None
    assert verbs(draft) == [
        "agent.submitted",
        "review.opened",
        "review.decided",
        "review.approved",
        "agent.launched",
    ]
    kinds = Entry.objects.filter(verb__startswith="review.").values_list("kind", flat=True)
    assert set(kinds) == {"review"}


def test_a_rejection_needs_a_comment_and_gives_the_draft_back(cast: Cast, draft: Agent) -> None:
    review = submitted(cast, draft)
    for comment in ("", "  \n"):
        with pytest.raises(errors.CommentMissing):
            decide_review(
                review.public_id, actor=actor(cast.sam), decision="reject", comment=comment
            )
    settled = decide_review(
        review.public_id, actor=actor(cast.sam), decision="reject", comment="Name the data."
    )
    draft.refresh_from_db()
    assert settled.state == "rejected"
    assert draft.stage == "draft"
    assert submitted(cast, draft).state == "open"


def test_what_people_write_is_not_in_the_header_of_the_record(cast: Cast, draft: Agent) -> None:
    review = submitted(cast, draft, justification="Because Jane Doe asked.")
    decide_review(
        review.public_id, actor=actor(cast.sam), decision="approve", comment="Jane is right."
    )
    headers = b"".join(
        bytes(header)
        for header in Entry.objects.filter(kind="review").values_list("header", flat=True)
    )
    assert b"Jane" not in headers
    assert review.digest.encode() in headers


def test_the_requester_does_not_decide_even_as_security(cast: Cast) -> None:
    agent = make_agent("own", owner=cast.alice, backup_owner=cast.sam)
    review = submit_agent("own", actor=actor(cast.sam))
    with pytest.raises(errors.OwnMatter) as caught:
        approve(review, cast.sam)
    assert caught.value.facts["rule"] == "requester"
    agent.refresh_from_db()
    assert agent.stage == "in_review"


def test_the_owner_does_not_decide_what_somebody_else_requested(cast: Cast) -> None:
    make_agent("sams", owner=cast.sam, backup_owner=cast.bob)
    review = submit_agent("sams", actor=actor(cast.bob))
    with pytest.raises(errors.OwnMatter) as caught:
        approve(review, cast.sam)
    assert caught.value.facts["rule"] == "owner"


def test_a_backup_owner_who_did_not_ask_may_decide(cast: Cast) -> None:
    make_agent("alices", owner=cast.alice, backup_owner=cast.sam)
    review = submit_agent("alices", actor=actor(cast.alice))
    assert approve(review, cast.sam).state == "approved"


def test_a_token_without_the_security_role_does_not_decide(cast: Cast, draft: Agent) -> None:
    review = submitted(cast, draft)
    with pytest.raises(errors.ReviewNotFound):
        approve(review, cast.sam, "employee")
    Person.objects.filter(pk=cast.sue.pk).update(roles=["employee", "security", "auditor"])
    cast.sue.refresh_from_db()
    with pytest.raises(RoleMissing):
        approve(review, cast.sue, "employee", "auditor")


@pytest.mark.parametrize("who", ["pat", "ann"])
def test_other_roles_see_and_do_not_decide(cast: Cast, draft: Agent, who: str) -> None:
    review = submitted(cast, draft)
    with pytest.raises(RoleMissing):
        approve(review, getattr(cast, who))


def test_an_outsider_does_not_even_see_it(cast: Cast, draft: Agent) -> None:
    review = submitted(cast, draft)
    with pytest.raises(errors.ReviewNotFound):
        approve(review, cast.mallory)
    with pytest.raises(errors.ReviewNotFound):
        review_for(actor(cast.mallory), review.public_id)
    with pytest.raises(errors.ReviewNotFound):
        review_for(actor(cast.sam), "rev_\x00")


def test_rights_lost_after_the_page_was_opened_are_lost(cast: Cast, draft: Agent) -> None:
    review = submitted(cast, draft)
    before = actor(cast.sam)
    Person.objects.filter(pk=cast.sam.pk).update(roles=["employee"])
    with pytest.raises(RoleMissing):
        decide_review(review.public_id, actor=before, decision="approve")
    Person.objects.filter(pk=cast.sam.pk).update(
        roles=["employee", "security"], deactivated_at=clock.now()
    )
    with pytest.raises(PersonDeactivated):
        decide_review(review.public_id, actor=before, decision="approve")


def test_automations_and_agents_do_not_decide(cast: Cast, draft: Agent) -> None:
    review = submitted(cast, draft)
    with pytest.raises(errors.PeopleDecide):
        decide_review(review.public_id, actor=Actor.system("operator"), decision="approve")
    with pytest.raises(errors.ReviewNotFound):
        decide_review(
            review.public_id, actor=Actor.agent(Ref("agent", "agt_x")), decision="approve"
        )


def test_whoever_became_the_owner_meanwhile_does_not_decide(cast: Cast, draft: Agent) -> None:
    review = submitted(cast, draft)
    Agent.objects.filter(pk=draft.pk).update(owner=cast.sam)
    with pytest.raises(errors.OwnMatter):
        approve(review, cast.sam)
    assert review not in waiting_for(actor(cast.sam))


def test_whoever_was_the_owner_when_it_was_asked_does_not_decide(cast: Cast) -> None:
    agent = make_agent("handed-over", owner=cast.sam, backup_owner=cast.bob)
    review = submit_agent("handed-over", actor=actor(cast.bob))
    Agent.objects.filter(pk=agent.pk).update(owner=cast.alice)
    with pytest.raises(errors.OwnMatter) as caught:
        approve(review, cast.sam)
    assert caught.value.facts["rule"] == "excluded"


def test_whoever_the_manifest_makes_the_owner_does_not_decide(cast: Cast) -> None:
    agent = make_agent("given-away", owner=cast.alice, backup_owner=cast.bob, stage="live")
    manifest = make_manifest("given-away", version="2.0.0", owner="user:sam@acme.test")
    make_version(agent, manifest)
    review = submit_agent("given-away", actor=actor(cast.alice))
    with pytest.raises(errors.OwnMatter):
        approve(review, cast.sam)


def test_one_changed_byte_voids_the_review(cast: Cast, draft: Agent) -> None:
    review = submitted(cast, draft)
    rewrite_manifest(draft.versions.get())
    with pytest.raises(errors.ReviewVoid):
        approve(review, cast.sam)
    review.refresh_from_db()
    draft.refresh_from_db()
    assert (review.state, draft.stage) == ("withdrawn", "draft")
    assert not ReviewDecision.objects.exists()
    again = submitted(cast, draft)
    assert again.digest != review.digest
    assert approve(again, cast.sam).state == "approved"


def test_a_version_that_was_taken_back_voids_its_review(cast: Cast) -> None:
    agent = make_agent("runner", owner=cast.alice, backup_owner=cast.bob, stage="live")
    version = make_version(agent, make_manifest("runner", version="1.1.0"))
    review = submit_agent("runner", actor=actor(cast.alice))
    AgentVersion.objects.filter(pk=version.pk).update(state="rejected", settled_at=clock.now())
    with pytest.raises(errors.ReviewVoid):
        approve(review, cast.sam)


def test_a_review_out_of_time_is_refused_and_expired_by_whoever_comes_first(
    cast: Cast, draft: Agent
) -> None:
    review = submitted(cast, draft)
    pass_time(review)
    assert review_for(actor(cast.sam), review.public_id).standing == "expired"  # type: ignore[attr-defined]
    assert review not in waiting_for(actor(cast.sam))
    with pytest.raises(errors.ReviewExpired):
        approve(review, cast.sam)
    review.refresh_from_db()
    draft.refresh_from_db()
    assert (review.state, draft.stage) == ("expired", "draft")
    assert verbs(draft)[-2:] == ["review.expired", "agent.returned"]


def test_the_sweep_expires_what_is_due_and_nothing_else(cast: Cast, draft: Agent) -> None:
    due = submitted(cast, draft)
    other = make_agent("other", owner=cast.alice, backup_owner=cast.bob)
    fresh = submit_agent(other.name, actor=actor(cast.alice))
    pass_time(due)
    assert expire_reviews(actor=Actor.system("review-expiry")) == 1
    sweep()
    due.refresh_from_db()
    fresh.refresh_from_db()
    assert (due.state, fresh.state) == ("expired", "open")
    assert Entry.objects.filter(verb="review.expired").count() == 1


def test_an_expired_registration_can_be_asked_anew_before_the_sweep(
    cast: Cast, draft: Agent
) -> None:
    first = submitted(cast, draft)
    pass_time(first)
    second = submitted(cast, draft)
    first.refresh_from_db()
    assert (first.state, second.state) == ("expired", "open")


def test_a_withdrawn_review_is_settled_and_the_draft_is_free(cast: Cast, draft: Agent) -> None:
    review = submit_agent(draft.name, actor=actor(cast.bob))
    with pytest.raises(errors.NotYoursToWithdraw):
        withdraw_review(review.public_id, actor=actor(cast.sam))
    with pytest.raises(errors.ReviewNotFound):
        withdraw_review(review.public_id, actor=actor(cast.mallory))
    withdraw_review(review.public_id, actor=actor(cast.alice), reason="Not ready.")
    draft.refresh_from_db()
    assert draft.stage == "draft"
    with pytest.raises(errors.ReviewSettled):
        withdraw_review(review.public_id, actor=actor(cast.alice))
    with pytest.raises(errors.ReviewSettled):
        approve(review, cast.sam)
    withdraw_review(submitted(cast, draft).public_id, actor=actor(cast.alice))


def test_regulated_data_takes_two(cast: Cast) -> None:
    manifest = make_manifest("claims", dataClasses=["regulated"])
    agent = make_agent("claims", owner=cast.alice, backup_owner=cast.bob, manifest=manifest)
    review = submit_agent("claims", actor=actor(cast.alice))
    assert review.quorum == 2
    assert approve(review, cast.sam).state == "open"
    with pytest.raises(errors.AlreadyDecided):
        approve(review, cast.sam)
    assert review not in waiting_for(actor(cast.sam))
    assert review in waiting_for(actor(cast.sue))
    assert approve(review, cast.sue).state == "approved"
    agent.refresh_from_db()
    assert agent.stage == "soft_launch"


def test_one_no_outweighs_an_earlier_yes(cast: Cast) -> None:
    manifest = make_manifest("claims", dataClasses=["regulated"])
    make_agent("claims", owner=cast.alice, backup_owner=cast.bob, manifest=manifest)
    review = submit_agent("claims", actor=actor(cast.alice))
    approve(review, cast.sam)
    settled = decide_review(
        review.public_id, actor=actor(cast.sue), decision="reject", comment="No."
    )
    assert settled.state == "rejected"


@pytest.mark.parametrize(
    "loss", [{"deactivated_at": clock.now()}, {"roles": ["employee"]}], ids=["left", "demoted"]
)
def test_the_yes_of_somebody_who_may_no_longer_decide_does_not_count(
    cast: Cast, loss: dict[str, object]
) -> None:
    manifest = make_manifest("claims", dataClasses=["regulated"])
    make_agent("claims", owner=cast.alice, backup_owner=cast.bob, manifest=manifest)
    review = submit_agent("claims", actor=actor(cast.alice))
    approve(review, cast.sam)
    Person.objects.filter(pk=cast.sam.pk).update(**loss)
    assert approve(review, cast.sue).state == "open"
    assert approve(review, make_person("sid", "security")).state == "approved"


def test_a_version_takes_effect_when_approved_and_ends_when_rejected(cast: Cast) -> None:
    make_route("sandbox")
    agent = make_agent("runner", owner=cast.alice, backup_owner=cast.bob, stage="live")
    for number, decision, state in (
        ("1.1.0", "reject", "rejected"),
        ("1.2.0", "approve", "accepted"),
    ):
        version = make_version(agent, make_manifest("runner", version=number))
        review = submit_agent("runner", actor=actor(cast.alice))
        assert review.kind == "version"
        assert [change["path"] for change in review.evidence["diff"]] == ["spec.version"]
        decide_review(review.public_id, actor=actor(cast.sam), decision=decision, comment="So.")
        version.refresh_from_db()
        assert version.state == state
    agent.refresh_from_db()
    assert agent.current_version is not None
    assert agent.current_version.version == "1.2.0"
    assert agent.stage == "live"


def test_a_decision_that_is_neither_is_refused(cast: Cast, draft: Agent) -> None:
    review = submitted(cast, draft)
    with pytest.raises(errors.DecisionUnknown):
        decide_review(review.public_id, actor=actor(cast.sam), decision="maybe")


@pytest.mark.parametrize("comment", ["x" * 4001, "fine\u202e", "a\x00b", "\x1b[2Jgone"])
def test_a_comment_that_does_not_show_as_it_is_stored_is_refused(
    cast: Cast, draft: Agent, comment: str
) -> None:
    review = submitted(cast, draft)
    with pytest.raises(errors.TextUnusable):
        decide_review(review.public_id, actor=actor(cast.sam), decision="approve", comment=comment)


def test_an_agent_killed_while_it_waits_is_not_launched(cast: Cast, draft: Agent) -> None:
    from registry.actions.agents import kill_agent
    from registry.errors.agents import IllegalTransition

    review = submitted(cast, draft)
    kill_agent(draft.name, actor=actor(cast.pat), reason="Leaks.")
    with pytest.raises(IllegalTransition):
        approve(review, cast.sam)
    review.refresh_from_db()
    assert review.state == "open"
    assert not ReviewDecision.objects.exists()
