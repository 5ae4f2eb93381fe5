"""The page on which people say that they are away."""

from __future__ import annotations

import zoneinfo
from datetime import datetime, timedelta

import pytest
from django.test import Client

from approvals.models import Absence
from kernel import clock
from registry.models import Person
from tests.approvals.errands import Errand, bound, put
from tests.factories import Cast

PAGE = "/account/absences/"
pytestmark = pytest.mark.django_db


def as_(person: Person) -> Client:
    client = Client()
    client.force_login(person)
    return client


def given(somebody: Person, **over: str) -> dict[str, str]:
    now = clock.now()
    return {
        "stand_in": somebody.email,
        "starts_at": (now - timedelta(days=1)).strftime("%Y-%m-%dT%H:%M"),
        "ends_at": (now + timedelta(days=3)).strftime("%Y-%m-%dT%H:%M"),
        "roles": "security",
        "reason": "At sea <b>",
    } | over


def test_an_absence_is_set_in_ones_own_time_zone_and_ended(cast: Cast) -> None:
    Person.objects.filter(pk=cast.sam.pk).update(time_zone="Pacific/Auckland")
    client = as_(cast.sam)
    assert "You are here" in client.get(PAGE).content.decode()
    sent = given(cast.mallory)
    assert client.post(PAGE, sent).status_code == 302
    absence = Absence.objects.get()
    here = datetime.fromisoformat(sent["starts_at"]).replace(
        tzinfo=zoneinfo.ZoneInfo("Pacific/Auckland")
    )
    assert absence.starts_at == here
    page = client.get(PAGE).content.decode()
    assert "Mallory decides in your place, also as security · At sea &lt;b&gt;" in page
    theirs = as_(cast.mallory).get(PAGE).content.decode()
    assert "You stand in for" in theirs
    assert "At sea" not in theirs
    assert client.post(f"{PAGE}{absence.public_id}/end/").status_code == 302
    assert "You are here" in client.get(PAGE).content.decode()


def test_what_makes_no_sense_is_said_beside_the_field(cast: Cast) -> None:
    client = as_(cast.sam)
    for over, words in (
        ({"stand_in": "nobody@acme.test"}, "Nobody with an account"),
        ({"stand_in": cast.sam.email}, "Somebody else stands in"),
        ({"ends_at": "2020-01-01T00:00"}, "It ends after it begins"),
        ({"roles": "platform"}, "not one of the available choices"),
        ({"starts_at": "soon"}, "Enter a valid date/time"),
    ):
        answer = client.post(PAGE, given(cast.mallory, **over))
        assert answer.status_code == 422
        assert words in answer.content.decode(), words
    client.post(PAGE, given(cast.mallory))
    assert client.post(PAGE, given(cast.mallory)).status_code == 409


def test_nobody_ends_anothers_absence_by_its_address(cast: Cast) -> None:
    as_(cast.sam).post(PAGE, given(cast.mallory))
    path = f"{PAGE}{Absence.objects.get().public_id}/end/"
    assert as_(cast.mallory).post(path).status_code == 404
    assert as_(cast.sam).get(path).status_code == 405
    assert Client().get(PAGE)["Location"].startswith("/signin/")


def test_the_page_of_a_review_says_in_whose_place_one_decides(cast: Cast) -> None:
    as_(cast.sam).post(PAGE, given(cast.mallory))
    with bound(Errand({})) as errand:
        review = put(errand, cast.alice)
        page = as_(cast.mallory).get(f"/reviews/{review.public_id}/").content.decode()
        assert "You decide for Sam, until" in page
        as_(cast.mallory).post(f"/reviews/{review.public_id}/decide/", {"decision": "approve"})
    page = as_(cast.alice).get(f"/reviews/{review.public_id}/").content.decode()
    assert "for Sam</span>" in page
