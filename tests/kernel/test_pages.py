from __future__ import annotations

import pytest
from django.db.models import QuerySet
from django.test import RequestFactory

from kernel.pages import Page, cut, found, wanted_order
from registry.models import Person, Team
from tests.factories import make_person, make_team

pytestmark = pytest.mark.django_db


def names(page: Page) -> list[str]:
    return [team.name for team in page]


def page_at(cursor: str = "", ordering: str = "name", rows: QuerySet[Team] | None = None) -> Page:
    request = RequestFactory().get("/", {"cursor": cursor} if cursor else {})
    return cut(request, Team.objects.all() if rows is None else rows, ordering=ordering, size=2)


def test_a_list_is_walked_forwards_and_back_without_a_gap() -> None:
    for name in "EDCBA":
        make_team(name)
    first = page_at()
    second = page_at(first.next)
    third = page_at(second.next)
    assert [names(page) for page in (first, second, third)] == [["A", "B"], ["C", "D"], ["E"]]
    assert (first.previous, third.next) == ("", "")
    back = page_at(third.previous)
    assert names(back) == ["C", "D"]
    assert names(page_at(back.previous)) == ["A", "B"]
    assert names(page_at(page_at(back.previous).next)) == ["C", "D"]


@pytest.mark.parametrize("ordering", ["name", "-name", "created_at", "-created_at"])
def test_rows_that_share_a_value_are_each_shown_once(ordering: str) -> None:
    moment = make_team("Same 0").created_at
    for number in range(1, 7):
        make_team(f"Same {number}", created_at=moment)
    Team.objects.update(name="Same")
    seen, page = [], page_at(ordering=ordering)
    seen += [team.slug for team in page]
    while page.next:
        page = page_at(page.next, ordering)
        seen += [team.slug for team in page]
    assert sorted(seen) == [f"same-{number}" for number in range(7)]


@pytest.mark.parametrize(
    "cursor",
    ["nonsense", "WzFd", "W10", "WzAsIm5vdCBhIGRhdGUiLCJ4Il0", "WzAsIlx1MDAwMCIsIngiXQ", "é"],
)
def test_a_cursor_that_is_none_shows_the_first_page(cursor: str) -> None:
    make_team("A")
    assert names(page_at(cursor, "created_at")) == ["A"]


def test_rows_with_others_joined_are_walked_alike() -> None:
    for number in range(5):
        make_person(f"p{number}", team=make_team(f"Team {number}"))
    rows = Person.objects.select_related("team").filter(email__startswith="p")
    seen, cursor = [], ""
    for _ in range(3):
        request = RequestFactory().get("/", {"cursor": cursor})
        page = cut(request, rows, ordering="-email", size=2)
        seen += [(person.email[:2], person.team and person.team.name) for person in page]
        cursor = page.next
    assert seen == [(f"p{number}", f"Team {number}") for number in range(4, -1, -1)]
    assert cursor == ""


def test_a_row_that_arrives_meanwhile_shifts_nothing() -> None:
    for name in "BCDE":
        make_team(name)
    first = page_at()
    make_team("A")
    assert names(page_at(first.next)) == ["D", "E"]


def test_every_word_must_occur_somewhere() -> None:
    make_team("Customer service")
    make_team("Customer research")
    rows = found(Team.objects.all(), "research CUSTOMER", "name", "slug")
    assert [team.name for team in rows] == ["Customer research"]


def test_an_ordering_that_is_not_offered_is_left_out() -> None:
    columns = {"name": "shown_name"}
    orders = [
        wanted_order(RequestFactory().get("/", {"ordering": value}), columns, "usual")
        for value in ("name", "-name", "password", "--name", "")
    ]
    assert orders == ["shown_name", "-shown_name", "usual", "usual", "usual"]
