"""The inbox: what narrows it, what it says of time, and several decided together."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from pytest_django import Settings

from approvals.actions import decide_review
from approvals.models import Review, ReviewDecision
from ledger.models import Entry
from registry.models import Person
from tests.approvals.errands import Errand, bound, put
from tests.approvals.test_standing_in import away
from tests.factories import Cast, actor, make_agent, make_route

pytestmark = pytest.mark.django_db


def as_(person: Person) -> Client:
    client = Client()
    client.force_login(person)
    return client


def shown(person: Person, query: str = "") -> str:
    page = as_(person).get(f"/reviews/?show=waiting{query}").content.decode()
    return page.partition('id="results"')[2]


def pick(*reviews: Review, **over: Any) -> dict[str, Any]:
    return {"pick": [f"{each.public_id} {each.asked_digest}" for each in reviews]} | over


def test_the_list_is_narrowed_by_what_matters_to_a_decider(cast: Cast) -> None:
    make_route("sandbox")
    agent = make_agent(owner=cast.alice, backup_owner=cast.bob, team=cast.finance)
    with bound(Errand({})) as errand:
        put(
            errand, cast.alice, number=1, asked_by=agent.ref, open_for=timedelta(minutes=30),
            audience=("role:security", str(cast.sam.ref)),
        )  # fmt: skip
        put(errand, cast.alice, number=2, operation="other", open_for=timedelta(hours=20))
        put(errand, cast.alice, number=3, open_for=timedelta(days=6))
        for query, expected in (
            ("", "123"), ("&ends=hour", "1"), ("&ends=day", "12"), ("&to=me", "1"),
            ("&to=role", "123"), ("&to=team", ""), ("&operation=other", "2"),
            (f"&agent={agent.name}", "1"), ("&team=finance", "1"), ("&search=errand 3", "3"),
            ("&kind=erasure", ""), ("&ends=never&to=x&team=%00", "123"),
        ):  # fmt: skip
            page = shown(cast.sam, query)
            seen = "".join(n for n in "123" if f"May errand {n} be run?" in page)
            assert seen == expected, query
        page = shown(cast.sam)
        assert page.count("Within the hour") == 1
        assert page.count("Within a day") == 1


def test_whose_place_it_would_be_is_said_in_the_list(cast: Cast) -> None:
    away(cast.sam, cast.mallory)
    with bound(Errand({})) as errand:
        put(errand, cast.alice, audience=(str(cast.sam.ref),))
        assert "for Sam until" in shown(cast.mallory)
        assert "for Sam until" not in shown(cast.sam)


def test_what_waits_is_shown_as_more_than_ninety_nine(cast: Cast) -> None:
    with bound(Errand({})) as errand:
        for number in range(101):
            put(errand, cast.alice, number=number)
    assert "99+" in as_(cast.sam).get("/").content.decode()


def test_the_preview_says_what_is_asked_and_decides_nothing(cast: Cast) -> None:
    with bound(Errand({})) as errand:
        review = put(errand, cast.alice, justification="<b>Now</b>", escalate_to=("role:platform",),
                     escalate_after=timedelta(hours=1))  # fmt: skip
    path = f"/reviews/{review.public_id}/preview/"
    page = as_(cast.sam).get(path).content.decode()
    assert "&lt;b&gt;Now&lt;/b&gt;" in page
    assert "Escalates" in page
    assert "<form" not in page
    assert as_(cast.mallory).get(path).status_code == 404
    assert as_(cast.sam).post(path).status_code == 405


def test_news_are_said_by_a_small_piece_of_page(cast: Cast) -> None:
    client = as_(cast.sam)
    with bound(Errand({})) as errand:
        first = put(errand, cast.alice)
        assert (
            "Something new"
            not in client.get(f"/reviews/fresh/?seen={first.public_id}").content.decode()
        )
        put(errand, cast.alice, number=2)
    fresh = client.get(f"/reviews/fresh/?seen={first.public_id}").content.decode()
    assert "Something new waits" in fresh
    assert len(fresh) < 400


def test_several_are_shown_then_decided_each_on_its_own(cast: Cast) -> None:
    client = as_(cast.sam)
    with bound(Errand({})) as errand:
        reviews = [put(errand, cast.alice, number=n) for n in range(3)]
        page = client.post("/reviews/together/", pick(*reviews)).content.decode()
        assert "Nothing is decided yet" in page
        assert not ReviewDecision.objects.exists()
        unsaid = client.post(
            "/reviews/together/", pick(*reviews, confirmed="yes", decision="reject")
        )
        assert unsaid.status_code == 422
        # Somebody settles one of them in between.
        decide_review(reviews[1].public_id, actor=actor(cast.sue), decision="approve")
        page = client.post(
            "/reviews/together/", pick(*reviews, confirmed="yes", decision="approve")
        ).content.decode()
    assert "2 of 3 decided" in page
    assert "Not decided: This review is approved already." in page
    assert Entry.objects.filter(verb="review.decided").count() == 3
    assert ReviewDecision.objects.filter(decider=cast.sam).count() == 2


@pytest.mark.parametrize("over", [{"stakes": Review.Stakes.HIGH}, {"operation": "other"}])
def test_what_is_grave_or_of_another_sort_goes_alone(cast: Cast, over: dict[str, Any]) -> None:
    client = as_(cast.sam)
    with bound(Errand({})) as errand:
        reviews = [put(errand, cast.alice), put(errand, cast.alice, number=2, **over)]
        given = pick(*reviews, confirmed="yes", decision="approve")
        assert client.post("/reviews/together/", given).status_code == 302
    assert not ReviewDecision.objects.exists()


def test_too_many_none_unseen_and_edited_ones_are_refused(cast: Cast, settings: Settings) -> None:
    settings.REVIEWS_TOGETHER = 2
    client = as_(cast.sam)
    with bound(Errand({"n": 1})) as errand:
        reviews = [put(errand, cast.alice, number=n, quorum=2) for n in range(3)]
        unseen = put(errand, cast.sam, number=9, audience=("role:platform",))
        decide_review(
            reviews[0].public_id, actor=actor(cast.sue), decision="approve", edited={"n": 2}
        )
        reviews[0].refresh_from_db()
        yes = {"confirmed": "yes", "decision": "approve"}
        for given in (pick(*reviews, **yes), pick(**yes), pick(reviews[0], **yes),
                      pick(unseen, Review(public_id="rev_x", digest="d"), **yes)):  # fmt: skip
            assert client.post("/reviews/together/", given).status_code == 302
    assert not ReviewDecision.objects.filter(decider=cast.sam).exists()


def test_what_changed_since_it_was_picked_is_not_decided(cast: Cast) -> None:
    with bound(Errand({})) as errand:
        review = put(errand, cast.alice)
        given = {"pick": [f"{review.public_id} sha256:other"], "confirmed": "yes",
                 "decision": "approve"}  # fmt: skip
        page = as_(cast.sam).post("/reviews/together/", given).content.decode()
    assert "What you saw has changed" in page
    assert "0 of 1 decided" in page


def test_a_grave_approval_is_asked_about_once_more(cast: Cast) -> None:
    client = as_(cast.sam)
    with bound(Errand({})) as errand:
        review = put(errand, cast.alice, stakes=Review.Stakes.HIGH)
        path = f"/reviews/{review.public_id}/decide/"
        given = {"decision": "approve", "digest": review.digest, "comment": "Fine <i>"}
        page = client.post(path, given).content.decode()
        assert "Approve this?" in page
        assert 'value="Fine &lt;i&gt;"' in page
        assert not ReviewDecision.objects.exists()
        assert client.post(path, given | {"confirmed": "yes"}).status_code == 302
    assert ReviewDecision.objects.get().comment == "Fine <i>"


def test_an_answer_to_what_the_page_no_longer_shows_is_refused(cast: Cast) -> None:
    with bound(Errand({})) as errand:
        review = put(errand, cast.alice)
        given = {"decision": "approve", "digest": "sha256:other"}
        answer = as_(cast.sam).post(f"/reviews/{review.public_id}/decide/", given)
    assert answer.status_code == 409
    assert "What you saw has changed" in answer.content.decode()


def test_reading_decides_nothing_and_a_forged_form_is_refused(cast: Cast) -> None:
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(cast.sam)
    with bound(Errand({})) as errand:
        review = put(errand, cast.alice)
        for path in (f"/reviews/{review.public_id}/decide/", "/reviews/together/"):
            for method in (strict.get, strict.head, strict.options):
                assert method(path, {"decision": "approve"}).status_code == 405
            given = pick(review, confirmed="yes", decision="approve")
            assert strict.post(path, given).status_code == 403
    assert not ReviewDecision.objects.exists()
