"""Who has a part in an action has no say in it, however they come: tokens, stand-ins, accounts."""

from __future__ import annotations

from datetime import timedelta

import pytest

from approvals.actions import decide_review, end_absence, set_absence
from approvals.errors import OwnMatter
from approvals.models import Absence
from approvals.queries import waiting_for
from effects.models import Proposal
from kernel import clock
from kernel.errors import Denied
from registry.actions.keys import rotate_key
from registry.models import AgentKey, Person
from tests.effects.proposals.story import Story, api_of
from tests.effects.proposals.test_deciding import changed_version
from tests.factories import actor, client_of, make_person, make_token

HOUR = timedelta(hours=1)
POWERS = ["employee", "approver", "security"]


def powerful(*people: Person) -> None:
    Person.objects.filter(pk__in=[person.pk for person in people]).update(roles=POWERS)
    for person in people:
        person.refresh_from_db()


def refused(person: Person, made: Proposal) -> None:
    with pytest.raises(Denied):
        decide_review(made.review_id, actor=actor(person), decision="approve")
    made.refresh_from_db()
    assert made.state == "proposed"


def away(person: Person, stand_in: Person) -> None:
    now = clock.now()
    set_absence(
        actor=actor(person), stand_in=stand_in.email, starts_at=now - HOUR, ends_at=now + HOUR,
        roles=tuple({"approver", "security"} & set(person.roles)), reason="At sea.",
    )  # fmt: skip


@pytest.mark.parametrize("part", ["owner", "backup owner", "key", "version"])
def test_a_token_says_no_more_than_its_person_may(story: Story, part: str) -> None:
    """Whoever has a part is refused over REST too, and their part is found behind the token."""
    cast = story.cast
    who = {"owner": cast.alice, "backup owner": cast.bob, "key": cast.sam, "version": cast.sue}
    person = who[part]
    powerful(person)
    if part == "version":
        changed_version(story, created_by=str(person.ref))
    if part == "key":
        AgentKey.objects.update(created_by=str(person.ref))
    made = story.waiting()

    answer = client_of(person).post(
        f"/api/v1/reviews/{made.review_id}/decisions", {"decision": "approve"}, format="json"
    )

    assert (answer.status_code, answer.json()["code"]) == (403, OwnMatter.code)
    assert not waiting_for(actor(person)).exists()
    refused(person, made)


def test_a_key_made_with_a_token_is_its_persons(story: Story) -> None:
    """Bob makes the key over REST and stops being the backup owner; his part stays."""
    bob = story.cast.bob
    issued = client_of(bob).post("/api/v1/agents/note-taker/keys", {}, format="json").json()
    story.agent.backup_owner = None
    story.agent.save(update_fields=["backup_owner"])
    powerful(bob)
    proposed = api_of(issued["key"]).post("/api/v1/proposals", story.body())
    made = Proposal.objects.get(public_id=proposed.json()["id"])
    other = story.waiting("k-2", arguments={"note": "By the other key."})

    refused(bob, made)
    # With what another key asks he has nothing to do.
    decide_review(other.review_id, actor=actor(bob), decision="approve")
    other.refresh_from_db()
    assert other.state == "approved"


def test_who_rotated_the_key_is_its_issuer(story: Story) -> None:
    bob = story.cast.bob
    rotated = rotate_key("note-taker", story.key.public_id, actor=actor(bob))
    story.agent.backup_owner = None
    story.agent.save(update_fields=["backup_owner"])
    powerful(bob)
    proposed = api_of(rotated.text).post("/api/v1/proposals", story.body())

    refused(bob, Proposal.objects.get(public_id=proposed.json()["id"]))


def test_whoever_stands_in_for_a_party_has_not_their_right(story: Story) -> None:
    """Neither the owner's, the backup owner's nor the issuer's right passes to somebody else."""
    cast = story.cast
    AgentKey.objects.update(created_by=str(cast.sam.ref))
    parties = (cast.alice, cast.bob, cast.sam)
    powerful(*parties)
    stand_in = make_person("stand-in")
    made = story.waiting()
    for party in parties:
        away(party, stand_in)

        refused(stand_in, made)

    assert not waiting_for(actor(stand_in)).exists()
    # The right of somebody who has no part in it does.
    away(story.approver, stand_in)
    decide_review(made.review_id, actor=actor(stand_in), decision="approve")
    made.refresh_from_db()
    assert made.state == "approved"


def test_a_party_does_not_decide_as_somebodys_stand_in(story: Story) -> None:
    made = story.waiting()
    for party in (story.cast.alice, story.cast.bob):
        away(story.approver, party)
        refused(party, made)
        end_absence(Absence.objects.get(ended_at=None).public_id, actor=actor(story.approver))


def test_a_second_account_of_a_party_is_that_party(story: Story) -> None:
    AgentKey.objects.update(created_by=str(story.cast.sam.ref))
    local, _, domain = story.cast.sam.email.partition("@")
    twin = make_person("twin", "approver", "security", email=f"{local}+work@{domain}")

    refused(twin, story.waiting())


def test_a_new_owner_and_the_one_who_was_asked_for_have_both_a_part(story: Story) -> None:
    cast = story.cast
    made = story.waiting()
    story.agent.owner = cast.mallory
    story.agent.save(update_fields=["owner"])
    powerful(cast.alice, cast.mallory)

    refused(cast.alice, made)
    refused(cast.mallory, made)


def test_a_token_without_the_role_is_no_way_to_decide(story: Story) -> None:
    made = story.waiting()
    _, narrow = make_token(story.approver, ["employee"])

    answer = api_of(narrow).post(
        f"/api/v1/reviews/{made.review_id}/decisions", {"decision": "approve"}, format="json"
    )

    assert answer.status_code == 404  # it does not even show what waits
    made.refresh_from_db()
    assert made.state == "proposed"
