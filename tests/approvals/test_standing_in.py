"""Absence: who decides in whose place, and what never passes to a stand-in."""

from __future__ import annotations

from datetime import timedelta

import pytest

from approvals.actions import decide_review, end_absence, set_absence
from approvals.errors import (
    AbsenceNotFound,
    AbsenceOverlaps,
    AbsenceUnusable,
    AlreadyDecided,
    NotAsked,
    OwnMatter,
)
from approvals.models import Absence, Review, ReviewDecision
from approvals.queries import decisions_of, reviews_for, waiting_for
from approvals.standing_in import lent_for, rights_of
from kernel import clock
from ledger.models import Entry
from registry.actors import Actor, RoleMissing
from registry.models import Person
from tests.approvals.errands import Errand, bound, facts_of, put
from tests.approvals.test_constraints import refused
from tests.factories import Cast, actor, make_token

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def away(person: Person, stand_in: Person, *roles: str, **over: timedelta) -> Absence:
    now = clock.now()
    return set_absence(
        actor=actor(person),
        stand_in=stand_in.email,
        starts_at=now + over.get("begins", -HOUR),
        ends_at=now + over.get("ends", DAY),
        roles=roles,
        reason="At sea.",
    )


def approve(review: Review, person: Person) -> Review:
    return decide_review(review.public_id, actor=actor(person), decision="approve")


def test_a_stand_in_decides_what_was_put_to_the_absent_person_by_name(cast: Cast) -> None:
    away(cast.sam, cast.mallory)
    with bound(Errand({})) as errand:
        review = put(errand, cast.alice, audience=(str(cast.sam.ref),))
        mallory = actor(cast.mallory)
        assert list(waiting_for(mallory)) == [review]
        assert review in reviews_for(mallory)
        right = lent_for(review, rights_of(mallory))
        assert right is not None
        assert right.person == cast.sam
        assert approve(review, cast.mallory).state == "approved"
    decision = decisions_of([review])[review.pk][0]
    assert (decision.decider, decision.on_behalf_of) == (cast.mallory, cast.sam)
    assert facts_of("review.decided")["for"] == str(cast.sam.ref)
    assert review in reviews_for(mallory)


def test_roles_pass_only_where_they_were_lent(cast: Cast) -> None:
    absence = away(cast.sam, cast.mallory)
    with bound(Errand({})) as errand:
        review = put(errand, cast.alice)
        with pytest.raises(RoleMissing):
            approve_unseen(review, cast.mallory)
        end_absence(absence.public_id, actor=actor(cast.sam))
        away(cast.sam, cast.mallory, "security")
        assert approve(review, cast.mallory).state == "approved"


def approve_unseen(review: Review, person: Person) -> Review:
    """Approve as somebody who may see it for another reason: they govern."""
    Person.objects.filter(pk=person.pk).update(roles=["employee", "auditor"])
    person.refresh_from_db()
    return approve(review, person)


def test_nothing_passes_before_after_or_once_it_is_ended(cast: Cast) -> None:
    with bound(Errand({})) as errand:
        review = put(errand, cast.alice, audience=(str(cast.sam.ref),))
        away(cast.sam, cast.ann, begins=HOUR)
        assert not waiting_for(actor(cast.ann)).exists()
        with pytest.raises(NotAsked):
            approve(review, cast.ann)
        absence = away(cast.sam, cast.sue, ends=timedelta(minutes=1))
        assert waiting_for(actor(cast.sue)).exists()
        end_absence(absence.public_id, actor=actor(cast.pat))
        with pytest.raises(NotAsked):
            approve(review, cast.sue)
    assert Entry.objects.filter(verb__startswith="absence.").count() == 3


def test_a_chain_is_not_followed(cast: Cast) -> None:
    away(cast.sam, cast.sue)
    away(cast.sue, cast.ann, "security")
    with bound(Errand({})) as errand:
        review = put(errand, cast.alice, audience=(str(cast.sam.ref),))
        with pytest.raises(NotAsked):
            approve(review, cast.ann)


def test_the_right_of_somebody_who_is_barred_passes_to_nobody(cast: Cast) -> None:
    """An owner with a role who goes away cannot have an accomplice decide in their place."""
    away(cast.sam, cast.ann, "security")
    with bound(Errand({})) as errand:
        as_requester = put(errand, cast.sam)
        as_party = put(errand, cast.alice, number=2, excluded=frozenset({cast.sam.public_id}))
        assert not waiting_for(actor(cast.ann)).exists()
        errand.owners = {cast.sam.public_id}
        as_owner = put(errand, cast.alice, number=3)
        for review in (as_requester, as_party, as_owner):
            with pytest.raises(RoleMissing):
                approve(review, cast.ann)
            refused("approvals_reviewdecision_four_eyes", *in_place(as_party, cast.ann, cast.sam))


def in_place(review: Review, decider: Person, owner: Person) -> tuple[str, int, int, int, str]:
    sql = (
        "INSERT INTO approvals_reviewdecision (review_id, decider_id, on_behalf_of_id,"
        " decision, comment, digest, is_edited, created_at)"
        " VALUES (%s, %s, %s, 'approve', '', %s, false, now())"
    )
    return sql, review.pk, decider.pk, owner.pk, review.digest


def test_a_stand_in_who_is_a_party_decides_in_nobodys_place(cast: Cast) -> None:
    away(cast.sam, cast.alice, "security")
    with bound(Errand({})) as errand:
        review = put(errand, cast.alice)
        with pytest.raises(OwnMatter):
            approve(review, cast.alice)


def test_ones_own_answer_and_one_in_anothers_place_are_one(cast: Cast) -> None:
    away(cast.sam, cast.sue, "security")
    with bound(Errand({})) as errand:
        review = put(errand, cast.alice, quorum=2)
        approve(review, cast.sue)
        assert ReviewDecision.objects.get().on_behalf_of is None
        with pytest.raises(AlreadyDecided):
            approve(review, cast.sue)
        assert not waiting_for(actor(cast.sue)).exists()


def test_a_right_is_used_once_by_its_owner_or_by_the_stand_in(cast: Cast) -> None:
    away(cast.sam, cast.mallory, "security")
    with bound(Errand({})) as errand:
        first = put(errand, cast.alice, quorum=2)
        second = put(errand, cast.alice, number=2, quorum=2)
        approve(first, cast.mallory)
        assert list(waiting_for(actor(cast.sam))) == [second]
        with pytest.raises(AlreadyDecided):
            approve(first, cast.sam)
        approve(second, cast.sam)
        assert not waiting_for(actor(cast.mallory)).exists()
        with pytest.raises(AlreadyDecided):
            approve(second, cast.mallory)
        assert approve(first, cast.sue).state == "approved"


def test_an_answer_given_in_somebodys_place_falls_with_their_right(cast: Cast) -> None:
    away(cast.sam, cast.mallory, "security")
    with bound(Errand({})) as errand:
        review = put(errand, cast.alice, quorum=2)
        approve(review, cast.mallory)
        Person.objects.filter(pk=cast.sam.pk).update(roles=["employee"])
        assert approve(review, cast.sue).state == "open"


def test_a_lent_role_is_gone_when_its_owner_loses_it_or_leaves(cast: Cast) -> None:
    away(cast.sam, cast.ann, "security")
    with bound(Errand({})) as errand:
        review = put(errand, cast.alice)
        Person.objects.filter(pk=cast.sam.pk).update(roles=["employee"])
        with pytest.raises(RoleMissing):
            approve(review, cast.ann)
        Person.objects.filter(pk=cast.sam.pk).update(
            roles=["employee", "security"], deactivated_at=clock.now()
        )
        with pytest.raises(RoleMissing):
            approve(review, cast.ann)


def test_no_token_speaks_for_another(cast: Cast) -> None:
    away(cast.sam, cast.ann, "security")
    row, _ = make_token(cast.ann)
    with bound(Errand({})) as errand:
        review = put(errand, cast.alice)
        with pytest.raises(RoleMissing):
            decide_review(review.public_id, actor=Actor.by_token(row), decision="approve")
        assert approve(review, cast.ann).state == "approved"


def test_sql_lets_nobody_answer_for_somebody_who_is_there(cast: Cast) -> None:
    with bound(Errand({})) as errand:
        review = put(errand, cast.alice)
    refused("approvals_reviewdecision_while_absent", *in_place(review, cast.ann, cast.sam))


def test_an_absence_makes_sense_or_is_refused(cast: Cast) -> None:
    with pytest.raises(AbsenceUnusable, match="else stands in"):
        away(cast.sam, cast.sam)
    with pytest.raises(AbsenceUnusable, match="ends after"):
        away(cast.sam, cast.sue, begins=DAY, ends=HOUR)
    with pytest.raises(AbsenceUnusable, match="over already"):
        away(cast.sam, cast.sue, begins=-DAY, ends=-HOUR)
    with pytest.raises(AbsenceUnusable, match="a year"):
        away(cast.sam, cast.sue, ends=400 * DAY)
    for role in ("platform", "employee", "king"):
        with pytest.raises(AbsenceUnusable, match="roles that you hold"):
            away(cast.sam, cast.sue, role)
    Person.objects.filter(pk=cast.sue.pk).update(deactivated_at=clock.now())
    with pytest.raises(AbsenceUnusable, match="Nobody with an account"):
        away(cast.sam, cast.sue)
    assert not Absence.objects.exists()


def test_one_person_stands_in_at_a_time(cast: Cast) -> None:
    first = away(cast.sam, cast.sue)
    with pytest.raises(AbsenceOverlaps):
        away(cast.sam, cast.ann)
    end_absence(first.public_id, actor=actor(cast.sam))
    away(cast.sam, cast.ann)


def test_others_neither_see_nor_end_an_absence(cast: Cast) -> None:
    absence = away(cast.sam, cast.sue)
    for person in (cast.sue, cast.mallory, cast.ann):
        with pytest.raises(AbsenceNotFound):
            end_absence(absence.public_id, actor=actor(person))
    end_absence(absence.public_id, actor=actor(cast.sam))
    end_absence(absence.public_id, actor=actor(cast.sam))
    assert Entry.objects.filter(verb="absence.ended").count() == 1
