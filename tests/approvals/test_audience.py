"""Whom a review is put to: any of its roles, teams and people, and nobody else."""

from __future__ import annotations

import pytest
from django.db import connection

from approvals.actions import decide_review
from approvals.audience import in_words
from approvals.errors import AlreadyDecided, NotAsked, OwnMatter
from approvals.models import Review
from approvals.queries import able_deciders, reviews_for, waiting_count, waiting_for
from registry.actors import RoleMissing
from registry.models import Person
from tests.approvals.errands import Errand, bound, put
from tests.factories import Cast, actor, make_person


def approve(review: Review, person: Person, *roles: str) -> Review:
    return decide_review(review.public_id, actor=actor(person, *roles), decision="approve")


def test_a_team_and_a_person_are_asked_beside_a_role(cast: Cast) -> None:
    fin = cast.bob.team
    assert fin is not None
    asked = ("role:approver", f"team:{fin.slug}", str(cast.mallory.ref))
    with bound(Errand({})) as errand:
        review = put(errand, cast.pat, audience=asked)
        for person in (cast.alice, cast.bob, cast.mallory):
            assert list(waiting_for(actor(person))) == [review], person
        for person in (cast.sam, cast.ann, cast.pat):
            assert waiting_count(actor(person)) == 0, person
        with pytest.raises(NotAsked, match=f"approver role, team {fin.name} or Mallory"):
            approve(review, cast.sam)
        assert review in reviews_for(actor(cast.mallory))
        assert review.required_role == "approver"
        assert approve(review, cast.mallory).state == "approved"


def test_where_only_roles_are_asked_the_missing_role_is_named(cast: Cast) -> None:
    with bound(Errand({})) as errand:
        review = put(errand, cast.pat, audience=("role:approver", "role:security"))
        with pytest.raises(RoleMissing, match="approver or security"):
            approve(review, cast.ann)


def test_a_token_narrowed_to_a_role_speaks_for_that_role_alone(cast: Cast) -> None:
    with bound(Errand({})) as errand:
        review = put(errand, cast.pat, audience=(str(cast.sam.ref),))
        with pytest.raises(NotAsked):
            approve(review, cast.sam, "security")
        assert approve(review, cast.sam, "employee").state == "approved"


def test_whoever_left_the_team_does_not_count_any_more(cast: Cast) -> None:
    team = cast.bob.team
    assert team is not None
    with bound(Errand({})) as errand:
        review = put(errand, cast.pat, audience=(f"team:{team.slug}",), quorum=2)
        assert (
            able_deciders(review, {cast.pat.public_id})
            == Person.objects.filter(team=team).exclude(pk=cast.pat.pk).count()
        )
        approve(review, cast.bob)
        Person.objects.filter(pk=cast.bob.pk).update(team=None)
        assert approve(review, cast.alice).state == "open"


def test_a_second_account_of_the_same_mailbox_is_the_same_human(cast: Cast) -> None:
    alias = make_person("Alice+Two", "security")
    twin = make_person("sam+2", "security")
    with bound(Errand({})) as errand:
        review = put(errand, cast.alice, quorum=2)
        assert waiting_count(actor(alias)) == 0
        with pytest.raises(OwnMatter):
            approve(review, alias)
        assert approve(review, cast.sam).state == "open"
        assert waiting_count(actor(twin)) == 0
        with pytest.raises(AlreadyDecided):
            approve(review, twin)
        assert approve(review, cast.sue).state == "approved"


def test_what_waits_is_counted_to_a_hundred(cast: Cast) -> None:
    with bound(Errand({})) as errand:
        for number in range(103):
            put(errand, cast.alice, number=number)
        assert waiting_count(actor(cast.sam)) == 100


def test_an_audience_reads_as_people_say_it(cast: Cast) -> None:
    assert in_words(["role:security"]) == "people with the security role"
    said = in_words([str(cast.sue.ref), "role:approver", "role:security"])
    assert said == f"people with the approver role, people with the security role or {cast.sue}"


@pytest.mark.parametrize("asked", [(), ("security",), ("role:king",), ("agent:agt_1",)])
def test_nobody_and_nonsense_are_never_asked(cast: Cast, asked: tuple[str, ...]) -> None:
    with bound(Errand({})) as errand, pytest.raises(ValueError, match="put to roles"):
        put(errand, cast.alice, audience=asked)


def test_the_inbox_is_read_in_the_order_in_which_it_ends(cast: Cast) -> None:
    with bound(Errand({})) as errand:
        put(errand, cast.alice)
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        plan = waiting_for(actor(cast.sam))[:31].explain()
    assert "approvals_review_inbox_idx" in plan or "approvals_review_audience_idx" in plan
