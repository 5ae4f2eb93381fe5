"""What every page is given, and what an error page must do without."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.test import RequestFactory
from django.urls import include, path

from approvals.models import Review, ReviewDecision
from config import context
from kernel import clock
from registry.models import Person, Role


def page(request: HttpRequest) -> HttpResponse:
    return HttpResponse()


def _section(app: str, *names: str) -> Any:
    return path("", include(([path(f"{name}/", page, name=name) for name in names], app)))


urlpatterns = [
    path("", include(([path("", page, name="home")], "fleet"))),
    _section("registry", "agents", "people", "account", "signout"),
    _section("approvals", "reviews"),
    _section("routing", "vendors"),
]

pytestmark = pytest.mark.urls(__name__)


def make_person(name: str, *roles: Role) -> Person:
    return Person.objects.create(
        public_id=f"per_{name}",
        email=f"{name}@example.com",
        name=name.title(),
        roles=[Role.EMPLOYEE, *roles],
        created_at=clock.now(),
    )


def seen_by(person: Person, at: str = "/") -> list[context.Section]:
    request = RequestFactory().get(at)
    request.user = person
    return context.nav(request)


def reviews_waiting_for(person: Person) -> int:
    return next(section.count for section in seen_by(person) if section.label == "Reviews")


@pytest.mark.django_db
def test_sections_that_are_not_installed_are_left_out() -> None:
    labels = [section.label for section in seen_by(make_person("alice"))]
    assert labels == ["Home", "Agents", "Reviews", "People", "Account"]


@pytest.mark.django_db
def test_vendors_are_shown_to_those_who_steer() -> None:
    labels = [section.label for section in seen_by(make_person("sam", Role.SECURITY))]
    assert "Vendors" in labels


@pytest.mark.django_db
def test_a_page_inside_a_section_marks_that_section_alone() -> None:
    sections = seen_by(make_person("alice"), at="/agents/invoice-classifier/")
    assert [section.label for section in sections if section.is_current] == ["Agents"]


@pytest.mark.django_db
def test_the_count_is_of_reviews_that_the_person_may_still_decide() -> None:
    alice, sam, sid = (
        make_person("alice", Role.SECURITY),
        make_person("sam", Role.SECURITY),
        make_person("sid", Role.SECURITY),
    )
    review = Review.objects.create(
        public_id="rev_1",
        kind=Review.Kind.REGISTRATION,
        subject="agent:agt_1",
        subject_name="invoice-classifier",
        digest="0" * 64,
        question="May it run?",
        requester=alice,
        excluded=[sid.public_id],
        audience=["role:security"],
        quorum=2,
        created_at=clock.now(),
        expires_at=clock.now() + timedelta(days=1),
    )
    assert [reviews_waiting_for(person) for person in (alice, sam, sid)] == [0, 1, 0]

    ReviewDecision.objects.create(
        review=review, decider=sam, decision="approve", digest=review.digest, created_at=clock.now()
    )
    assert reviews_waiting_for(sam) == 0


def test_a_stranger_is_shown_no_section() -> None:
    request = RequestFactory().get("/")
    request.user = AnonymousUser()
    assert context.nav(request) == []


@pytest.mark.django_db
def test_the_page_frame_names_the_sections_the_person_and_the_version() -> None:
    request = RequestFactory().get("/agents/")
    request.user = make_person("alice")
    text = render_to_string("base.html", {"user": request.user}, request=request)
    assert 'aria-current="page"' in text
    assert "alice@example.com" in text
    assert "allowEval" in text
    assert f"Unsprawl {context.portal(request)['app_version']}" in text


@pytest.mark.parametrize("status", [400, 403, 404, 500])
def test_an_error_page_needs_no_database(status: int) -> None:
    # No database mark: any query fails the test.
    text = render_to_string(f"{status}.html", request=RequestFactory().get("/"))
    assert str(status) in text
