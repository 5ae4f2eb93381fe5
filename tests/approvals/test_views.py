"""The inbox and the page of one review, as those who decide, who ask, and who may not know."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings

from approvals.actions import decide_review, request_promotion, submit_agent
from approvals.models import Review
from kernel import clock
from registry.models import Agent, Person
from tests.factories import (
    Cast,
    actor,
    make_agent,
    make_manifest,
    make_model,
    make_person,
    make_route,
    make_vendor,
    make_version,
)

pytestmark = pytest.mark.django_db
REVIEWS = "/reviews/"


@pytest.fixture
def review(draft: Agent, cast: Cast) -> Review:
    return submit_agent(draft.name, actor=actor(cast.alice), justification="It reads Dutch.")


def as_(person: Person) -> Client:
    client = Client()
    client.force_login(person)
    return client


def page_of(person: Person, path: str = "") -> str:
    response = as_(person).get(REVIEWS + path)
    assert response.status_code == 200, response.content.decode()[:300]
    return response.content.decode()


def decide(person: Person, review: Review, decision: str, comment: str = "") -> Any:
    given = {"decision": decision, "comment": comment}
    return as_(person).post(f"{REVIEWS}{review.public_id}/decide/", given)


def results(page: str) -> str:
    return page.partition('id="results"')[2]


def test_what_waits_for_somebody_comes_first(cast: Cast, review: Review) -> None:
    assert "May invoice-sorter run?" in results(page_of(cast.sam))
    assert "1 of 1" not in results(page_of(cast.sam))
    assert "Nothing waits for you" in page_of(cast.alice, "?show=waiting")
    assert "May invoice-sorter run?" in results(page_of(cast.alice, "?show=mine"))
    assert "You have asked nothing yet" in page_of(cast.sam, "?show=mine")
    assert "May invoice-sorter run?" in results(page_of(cast.ann))


def test_outsiders_do_not_learn_that_there_is_a_review(cast: Cast, review: Review) -> None:
    assert "invoice-sorter" not in results(page_of(cast.mallory))
    assert as_(cast.mallory).get(f"{REVIEWS}{review.public_id}/").status_code == 404
    assert decide(cast.mallory, review, "approve").status_code == 404
    withdrawn = as_(cast.mallory).post(f"{REVIEWS}{review.public_id}/withdraw/")
    assert withdrawn.status_code == 404
    assert as_(cast.pat).get(f"{REVIEWS}rev_none/").status_code == 404


def test_nobody_gets_in_without_signing_in(review: Review) -> None:
    for path in ("", f"{review.public_id}/"):
        assert Client().get(REVIEWS + path)["Location"].startswith("/signin/")
    assert Client().post(f"{REVIEWS}{review.public_id}/decide/").status_code == 302
    review.refresh_from_db()
    assert review.state == "open"


def test_the_page_holds_everything_a_decision_needs(cast: Cast) -> None:
    vendor = make_vendor(
        "acme-eu", title="Acme Europe", regions=["eu"], data_classes=["internal"]
    )  # fmt: skip
    make_route("sandbox", make_model(vendor, "acme-1"))
    make_agent("invoice-reader", owner=cast.mallory)
    manifest = make_manifest(
        dataClasses=["internal", "personal"],
        tools=[{"name": "bank", "effect": "money", "maxAmount": 200, "currency": "EUR"}],
        steps=[{"name": "fetch", "kind": "deterministic"}, {"name": "sort", "kind": "model"}],
        purpose="Saves two hours a day.",
        onCall="#finance",
    )
    make_agent(owner=cast.alice, backup_owner=cast.bob, manifest=manifest)
    asked = submit_agent("invoice-sorter", actor=actor(cast.alice), justification="It is quick.")
    page = page_of(cast.sam, f"{asked.public_id}/")
    for words in (
        "It is quick.", "Saves two hours a day.", "#finance", "alice@acme.test", "bob@acme.test",
        "Acme Europe", "acme-1", ">eu<", "personal is refused", "money up to 200 EUR", "High risk",
        "1. fetch", "2. sort", "deterministic", asked.digest, "Your answer",
        "neither requester nor owner", "no answer means no",
    ):  # fmt: skip
        assert words in page, words


@pytest.mark.parametrize(
    ("who", "why"),
    [
        ("alice", "Only people with the security role decide it"),
        ("bob", "Only people with the security role decide it"),
        ("pat", "Only people with the security role decide it"),
        ("ann", "Only people with the security role decide it"),
    ],
)
def test_whoever_may_not_decide_is_told_why(cast: Cast, review: Review, who: str, why: str) -> None:
    person = getattr(cast, who)
    page = page_of(person, f"{review.public_id}/")
    assert why in page
    assert "Approve</button>" not in page
    assert decide(person, review, "approve").status_code == 403


def test_nobody_decides_what_they_asked_or_own(cast: Cast) -> None:
    make_route("sandbox")
    make_agent(owner=cast.sam, backup_owner=cast.bob)
    asked = submit_agent("invoice-sorter", actor=actor(cast.pat), justification="")
    Person.objects.filter(pk=cast.pat.pk).update(roles=["employee", "security", "platform"])
    cast.pat.refresh_from_db()
    assert "You asked this yourself" in page_of(cast.pat, f"{asked.public_id}/")
    assert "You own what this is about" in page_of(cast.sam, f"{asked.public_id}/")
    for person in (cast.pat, cast.sam):
        assert decide(person, asked, "approve").status_code == 403


def test_after_an_answer_comes_the_next_review_that_waits(cast: Cast, review: Review) -> None:
    make_agent("second", owner=cast.alice, backup_owner=cast.bob)
    second = submit_agent("second", actor=actor(cast.alice), justification="Different work.")
    first = decide(cast.sam, review, "approve", "Fine.")
    assert first["Location"] == f"{REVIEWS}{second.public_id}/"
    last = decide(cast.sam, second, "reject", "Use the first.")
    assert last["Location"] == REVIEWS
    assert Agent.objects.get(name="invoice-sorter").stage == "soft_launch"
    assert Agent.objects.get(name="second").stage == "draft"
    page = page_of(cast.alice, f"{second.public_id}/")
    assert "Use the first." in page
    assert "It is rejected already." in page


def test_a_rejection_needs_words_and_keeps_what_was_written(cast: Cast, review: Review) -> None:
    response = decide(cast.sam, review, "reject")
    assert response.status_code == 422
    assert "The owner needs a reason" in response.content.decode()
    hidden = decide(cast.sam, review, "reject", "No\u202ething")
    assert hidden.status_code == 422
    page = hidden.content.decode()
    assert "cannot be seen" in page
    assert "thing</textarea>" in page
    assert decide(cast.sam, review, "maybe").status_code == 422
    review.refresh_from_db()
    assert review.state == "open"


def test_an_answer_that_comes_too_late_says_what_has_happened(cast: Cast, review: Review) -> None:
    decide_review(review.public_id, actor=actor(cast.sue), decision="approve")
    response = decide(cast.sam, review, "reject", "No.")
    assert response.status_code == 409
    assert "approved already" in response.content.decode()


def test_an_expired_review_shows_as_expired_before_the_sweep(cast: Cast, review: Review) -> None:
    Review.objects.filter(pk=review.pk).update(expires_at=clock.now() - timedelta(minutes=1))
    page = page_of(cast.sam, f"{review.public_id}/")
    assert "expiry means no" in page
    assert "Approve</button>" not in page
    assert decide(cast.sam, review, "approve").status_code == 409
    assert "Expired" in results(page_of(cast.ann, "?state=expired"))


def test_a_quorum_shows_how_many_have_said_yes(
    cast: Cast, draft: Agent, settings: Settings
) -> None:
    settings.REVIEW_QUORUM_BY_DATA_CLASS = {"internal": 2}
    asked = submit_agent(draft.name, actor=actor(cast.alice), justification="")
    decide(cast.sam, asked, "approve")
    assert "1 of 2 approvals" in page_of(cast.sue, f"{asked.public_id}/")
    own = page_of(cast.sam, f"{asked.public_id}/")
    assert "Your answer is on record; it is given once." in own
    assert Agent.objects.get().stage == "in_review"
    decide(cast.sue, asked, "approve")
    assert Agent.objects.get().stage == "soft_launch"


def test_too_few_deciders_are_said_aloud(cast: Cast, draft: Agent, settings: Settings) -> None:
    settings.REVIEW_QUORUM_BY_DATA_CLASS = {"internal": 3}
    asked = submit_agent(draft.name, actor=actor(cast.alice), justification="")
    assert "Only 2 people could decide it" in page_of(cast.sue, f"{asked.public_id}/")


def test_the_asker_takes_the_question_back(cast: Cast, review: Review) -> None:
    assert "Withdraw the question" not in page_of(cast.sam, f"{review.public_id}/")
    assert "Withdraw the question" in page_of(cast.alice, f"{review.public_id}/")
    denied = as_(cast.sam).post(f"{REVIEWS}{review.public_id}/withdraw/")
    assert denied.status_code == 403
    as_(cast.alice).post(f"{REVIEWS}{review.public_id}/withdraw/", {"reason": "Not yet."})
    review.refresh_from_db()
    assert review.state == "withdrawn"


def test_a_new_version_shows_what_it_changes(cast: Cast) -> None:
    make_route("sandbox")
    agent = make_agent(owner=cast.alice, backup_owner=cast.bob, stage="live")
    tools = [{"name": "bank", "effect": "money"}]
    make_version(agent, make_manifest(version="1.1.0", tools=tools))
    asked = submit_agent(agent.name, actor=actor(cast.alice), justification="")
    page = page_of(cast.sam, f"{asked.public_id}/")
    assert "from 1.0.0 to 1.1.0" in page
    assert "new tool" in page
    assert "spec.tools[bank]" in page


def test_going_live_is_a_question_of_its_own(cast: Cast) -> None:
    make_route("sandbox")
    agent = make_agent(owner=cast.alice, backup_owner=cast.bob, stage="soft_launch")
    asked = request_promotion(agent.name, actor=actor(cast.alice), justification="All right.")
    assert "Promotion" in page_of(cast.sam, f"{asked.public_id}/")
    decide(cast.sam, asked, "approve")
    agent.refresh_from_db()
    assert agent.stage == "live"


def test_what_hides_in_a_text_is_written_out(cast: Cast) -> None:
    make_route("sandbox")
    manifest = make_manifest(purpose="Pays in\u200bvoices\u00ad <script>alert(1)</script>")
    manifest["metadata"]["title"] = "Sorter\U000e0041"
    make_agent(owner=cast.alice, backup_owner=cast.bob, manifest=manifest)
    asked = submit_agent("invoice-sorter", actor=actor(cast.alice), justification="")
    page = page_of(cast.sam, f"{asked.public_id}/")
    assert "U+200B</span>" in page
    assert 'title="soft hyphen"' in page
    assert "U+E0041</span>" in page
    assert "\u200b" not in page
    assert "<script>alert" not in page


@pytest.mark.parametrize("path", ["?show=waiting", "?show=all", "one"])
def test_a_page_costs_the_same_however_many_there_are(
    cast: Cast, draft: Agent, settings: Settings, path: str
) -> None:
    settings.REVIEW_QUORUM_BY_DATA_CLASS = {"internal": 2}
    review = submit_agent(draft.name, actor=actor(cast.alice), justification="It is first.")
    path = f"{review.public_id}/" if path == "one" else path
    client = as_(cast.sam)

    def ask(number: int) -> None:
        owner = make_person(f"asker-{number}")
        make_agent(f"agent-{number}", owner=owner, backup_owner=cast.bob)
        submit_agent(f"agent-{number}", actor=actor(owner), justification="Other work.")

    ask(0)
    decide(cast.sue, review, "approve")
    client.get(REVIEWS + path)
    with CaptureQueriesContext(connection) as few:
        client.get(REVIEWS + path)
    for number in range(1, 33):
        ask(number)
    with CaptureQueriesContext(connection) as many:
        page = client.get(REVIEWS + path).content.decode()
    assert len(few) == len(many)
    if path.startswith("?"):
        link = re.search(r'rel="next" href="\?([^"]+)"', page)
        assert link is not None
        rest = page_of(cast.sam, "?" + link.group(1).replace("&amp;", "&"))
        assert rest.count("row-link") == 4


def test_the_list_is_narrowed_by_kind_and_words(cast: Cast, review: Review) -> None:
    for query, is_found in (
        ("kind=registration", True), ("kind=version", False), ("search=dutch", True),
        ("search=nonsense", False), ("kind=nonsense", True), ("search=%00", True),
    ):  # fmt: skip
        page = results(page_of(cast.sam, f"?show=all&{query}"))
        assert ("May invoice-sorter run?" in page) == is_found, query
