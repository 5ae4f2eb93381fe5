"""What every page is given, and what an error page must do without."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.test import RequestFactory
from django.urls import include, path

from config import context
from registry.models import Person, Role


def page(request: HttpRequest) -> HttpResponse:
    return HttpResponse()


def _section(app: str, *names: str) -> Any:
    return path("", include(([path(f"{name}/", page, name=name) for name in names], app)))


urlpatterns = [
    path("", include(([path("", page, name="home")], "fleet"))),
    _section("registry", "agents", "people", "account", "signout"),
    _section("routing", "vendors"),
]

pytestmark = pytest.mark.urls(__name__)


def seen_by(*roles: Role, at: str = "/") -> list[context.Section]:
    request = RequestFactory().get(at)
    request.user = Person(email="alice@example.com", roles=[Role.EMPLOYEE, *roles])
    return context.nav(request)


def test_sections_that_are_not_installed_are_left_out() -> None:
    assert [section.label for section in seen_by()] == ["Home", "Agents", "People", "Account"]


def test_vendors_are_shown_to_those_who_steer() -> None:
    assert "Vendors" in [section.label for section in seen_by(Role.SECURITY)]


def test_a_page_inside_a_section_marks_that_section_alone() -> None:
    marked = [s.label for s in seen_by(at="/agents/invoice-classifier/") if s.is_current]
    assert marked == ["Agents"]


def test_a_stranger_is_shown_no_section() -> None:
    request = RequestFactory().get("/")
    request.user = AnonymousUser()
    assert context.nav(request) == []


def test_the_page_frame_names_the_sections_the_person_and_the_version() -> None:
    request = RequestFactory().get("/agents/")
    request.user = Person(email="alice@example.com", name="Alice Ade")
    text = render_to_string("base.html", {"user": request.user}, request=request)
    assert 'aria-current="page"' in text
    assert "Alice Ade" in text
    assert "allowEval" in text
    assert f"Unsprawl {context.portal(request)['app_version']}" in text


@pytest.mark.parametrize("status", [400, 403, 404, 500])
def test_an_error_page_needs_no_database(status: int) -> None:
    # No database mark: any query fails the test.
    text = render_to_string(f"{status}.html", request=RequestFactory().get("/"))
    assert str(status) in text
