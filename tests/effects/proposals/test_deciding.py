"""What becomes of a proposal that waits: approved, edited, refused, too late, taken back, void."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db.models.functions import Now

from approvals.actions import decide_review, expire_reviews
from approvals.errors import OwnMatter, ReviewVoid
from approvals.models import Review
from credentials.models import Secret
from effects.actions.running_out import expire_approved
from effects.actions.withdrawing import expire_proposals
from effects.models import Connection, Operation, Proposal
from effects.reading import action_of
from effects.refusals import ArgumentsInvalid, CorrectionRefused
from kernel.canonical import digest
from ledger.models import Entry
from registry.actors import Actor
from registry.models import Agent, AgentKey, AgentVersion, Person
from routing.models import RunLink
from tests.effects.proposals.story import Story, make_actor_agent
from tests.factories import actor, client_of, make_manifest, make_version

SWEEP = Actor.system("test")


def decide(story: Story, made: Proposal, decision: str = "approve", **more: Any) -> Proposal:
    who: Person = more.pop("by", story.approver)
    comment = "no" if decision == "reject" else ""
    decide_review(made.review_id, actor=actor(who), decision=decision, comment=comment, **more)
    made.refresh_from_db()
    return made


def test_an_approved_action_is_let_go_as_it_was_asked(story: Story) -> None:
    made = decide(story, story.waiting())

    assert made.state == "approved"
    assert made.decided_how == "people"
    assert (made.decided_digest, made.decided_entry) == (made.action_digest, made.action_entry)
    assert Review.objects.get(public_id=made.review_id).state == "approved"
    assert Entry.objects.filter(verb="proposal.approved").count() == 1
    assert story.api.get(f"/api/v1/proposals/{made.public_id}").json()["state"] == "approved"


def test_a_refused_action_ends(story: Story) -> None:
    made = decide(story, story.waiting(), "reject")

    assert (made.state, made.decided_how) == ("denied", "people")
    assert made.ended_at is not None
    assert story.propose("k-2").status_code == 202  # it may be asked again, under another key


def test_an_edited_action_keeps_both_and_how_far_they_are_apart(story: Story) -> None:
    made = story.waiting(arguments={"note": "Call back at once!!", "amount": 3})
    asked = action_of(made)

    made = decide(story, made, edited=asked["arguments"] | {"note": "Call back."})

    assert made.state == "approved"
    assert made.decided_digest != made.action_digest
    assert action_of(made)["arguments"]["note"] == "Call back at once!!"
    decided = action_of(made, decided=True)
    assert decided["arguments"]["note"] == "Call back."
    assert digest(decided) == made.decided_digest
    assert (made.edited_count, made.argument_count) == (1, 3)
    told = client_of(story.cast.sam).get(f"/api/v1/proposals/{made.public_id}").json()
    assert told["edited"]
    assert told["digest"] == made.decided_digest


def test_an_edit_that_changes_nothing_is_an_approval(story: Story) -> None:
    made = story.waiting()
    made = decide(story, made, edited=action_of(made)["arguments"])

    assert made.state == "approved"
    assert made.edited_count is None


def test_an_edit_is_held_to_the_schema(story: Story) -> None:
    made = story.waiting()
    with pytest.raises(ArgumentsInvalid):
        decide(story, made, edited={"customer": 1})
    made.refresh_from_db()
    assert (made.state, made.decided_digest) == ("proposed", "")


def test_an_edit_that_policy_refuses_is_none(story: Story) -> None:
    made = story.waiting()
    Agent.objects.filter(pk=story.agent.pk).update(tools=["crm.find"])
    with pytest.raises(CorrectionRefused, match="declare"):
        decide(story, made, edited={"customer": "c-1", "note": "x"})


def changed_version(story: Story, **over: Any) -> None:
    manifest = make_manifest("note-taker", version="2.0.0", tools=[{"name": "crm.add-note"}])
    version = make_version(story.agent, manifest, **over)
    AgentVersion.objects.filter(pk=version.pk).update(state="accepted", settled_at=Now())
    Agent.objects.filter(pk=story.agent.pk).update(current_version=version)


def changed_policy(story: Story) -> None:
    from rules.models import Activation, Bundle

    Activation.objects.update(ended_at=Now())
    bundle = Bundle.objects.create(
        public_id="pol_other", digest="sha256:other", title="x", origin="uploaded", packed=b"x",
        added_by="system:test", added_at=Now(),
    )  # fmt: skip
    Activation.objects.create(
        public_id="pac_other", bundle=bundle, reason="x", activated_by="system:test",
        activated_at=Now(),
    )  # fmt: skip


def changed_secret(story: Story) -> None:
    Connection.objects.update(adapter="http", credential="static")
    Secret.objects.create(
        public_id="sec_x", ring="tool", holder=str(story.connection.ref), version=1,
        ring_key_id="r", wrapped_key=b"x", nonce=b"x", ciphertext=b"x", created_by="system:test",
        created_at=Now(),
    )  # fmt: skip


CHANGES = {
    "agent version": changed_version,
    "policy": changed_policy,
    "credential": changed_secret,
    "connection": lambda story: Connection.objects.update(revision=2),
    "operation": lambda story: Operation.objects.update(digest="sha256:other"),
    "template": lambda story: Operation.objects.update(template={"tool": "other"}),
    "retired": lambda story: Operation.objects.update(retired_at=Now()),
    "disabled": lambda story: Connection.objects.update(disabled_at=Now()),
    "run": lambda story: Proposal.objects.update(run_id="run_other"),
    "key": lambda story: Proposal.objects.update(key_id="key_other"),
    "end": lambda story: Proposal.objects.update(expires_at=Now() + timedelta(days=99)),
    "killed": lambda story: Agent.objects.update(
        killed_at=Now(), suspended_at=Now(), suspended_reason="x", suspended_by="system:test"
    ),
}


@pytest.mark.parametrize("what", CHANGES)
def test_what_an_action_is_bound_to_voids_it_by_changing(story: Story, what: str) -> None:
    made = story.waiting()
    CHANGES[what](story)

    with pytest.raises(ReviewVoid):
        decide(story, made)

    made.refresh_from_db()
    assert (made.state, made.decided_how) == ("withdrawn", "void")


def test_parties_do_not_decide_in_whatever_disguise(story: Story) -> None:
    """The owner, the backup, the key's issuer, the version's author, who made the connection."""
    cast = story.cast
    changed_version(story, created_by=str(cast.pat.ref))
    made = story.waiting()
    behind = make_actor_agent("behind", cast.sue)
    RunLink.objects.create(
        child_run=made.run_id, parent_run="run_p", child_agent=story.agent.public_id,
        parent_agent=behind.public_id, linked_at=Now(),
    )  # fmt: skip
    AgentKey.objects.update(created_by=str(cast.sam.ref))
    Connection.objects.update(added_by=str(cast.ann.ref))
    Operation.objects.update(added_by=str(cast.mallory.ref))
    everyone = (cast.alice, cast.bob, cast.sam, cast.pat, cast.ann, cast.mallory, cast.sue)
    Person.objects.update(roles=["employee", "approver", "security"])

    for person in everyone:
        person.refresh_from_db()
        with pytest.raises(OwnMatter):
            decide(story, made, by=person)
    story.approver.refresh_from_db()
    assert decide(story, made).state == "approved"


def test_a_company_may_let_authors_of_connections_decide(story: Story, settings: Any) -> None:
    settings.AUTHORS_MAY_APPROVE = True
    Connection.objects.update(added_by=str(story.approver.ref))

    assert decide(story, story.waiting()).state == "approved"


def late(made: Proposal) -> None:
    past = Now() - timedelta(seconds=1)
    Proposal.objects.filter(pk=made.pk).update(expires_at=past)


def test_what_expired_is_not_approved_with_every_sweep_down(story: Story) -> None:
    made = story.waiting()
    late(made)

    with pytest.raises(ReviewVoid):
        decide(story, made)
    made.refresh_from_db()
    assert made.state == "withdrawn"


def test_the_sweep_ends_what_nobody_decided(story: Story) -> None:
    made = story.waiting()
    late(made)

    assert story.api.get(f"/api/v1/proposals/{made.public_id}").json()["state"] == "expired"
    assert expire_proposals(actor=SWEEP) == 1
    assert expire_proposals(actor=SWEEP) == 0
    made.refresh_from_db()
    assert (made.state, made.decided_how) == ("expired", "time")
    assert Review.objects.get(public_id=made.review_id).state == "expired"
    assert Entry.objects.filter(verb="proposal.expired").count() == 1
    assert expire_reviews(actor=SWEEP) == 0


def test_the_sweep_ends_what_was_approved_and_not_begun(story: Story) -> None:
    made = decide(story, story.waiting())
    late(made)

    assert expire_proposals(actor=SWEEP) == 0
    assert expire_approved(actor=SWEEP) == 1
    made.refresh_from_db()
    assert (made.state, made.decided_how) == ("expired", "people")


@pytest.mark.parametrize("way", ["delete", "post"])
def test_an_agent_takes_its_own_back(story: Story, way: str) -> None:
    made = story.waiting()
    at = f"/api/v1/proposals/{made.public_id}"

    answer = story.api.delete(at) if way == "delete" else story.api.post(f"{at}/withdraw")

    assert answer.json()["state"] == "withdrawn"
    assert answer.json()["decided_by"] == "agent"
    assert Review.objects.get(public_id=made.review_id).state == "withdrawn"
    again = story.api.delete(at)
    assert (again.status_code, again.json()["code"]) == (409, "effects.proposal_over")


def test_the_owner_takes_back_what_was_approved_and_others_do_not(story: Story) -> None:
    made = decide(story, story.waiting())
    at = f"/api/v1/proposals/{made.public_id}"

    assert client_of(story.cast.sam).delete(at).status_code == 403
    assert client_of(story.cast.mallory).delete(at).status_code == 404
    assert client_of(story.cast.alice).delete(at).json()["state"] == "withdrawn"


def test_what_is_on_its_way_is_not_taken_back(story: Story) -> None:
    made = decide(story, story.waiting())
    Proposal.objects.filter(pk=made.pk).update(state="claimed")

    answer = story.api.delete(f"/api/v1/proposals/{made.public_id}")

    assert (answer.status_code, answer.json()["state"]) == (409, "claimed")
