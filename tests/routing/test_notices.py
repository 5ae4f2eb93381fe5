"""A vendor's letter is pasted: what it names is found, what that touches shown, then it holds."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from routing.catalogue.letters import days_in_letter, names_in_letter
from routing.models import LifecycleChange, LifecycleOverride, Model
from tests.factories import Cast, browser_of, make_agent, make_cast, make_model, make_vendor

# As OpenAI writes: the model that ends, the day in words, and what takes its place.
LETTER = (
    "On January 14th, 2027 we will remove gpt-4.1 and `gpt-4.1-mini` from the API."
    " We recommend gpt-6-luna. Fine-tunes of gpt-4.1-nano are not affected."
)


@pytest.fixture
def cast(db: None) -> Cast:
    return make_cast()


@pytest.mark.parametrize(
    ("text", "days"),
    [
        ("retires on 11 December 2026.", ["2026-12-11"]),
        ("Dec. 11, 2026 and 2026-12-01", ["2026-12-01", "2026-12-11"]),
        ("on November 30th 2026", ["2026-11-30"]),
        ("on 31 February 2026, or 2026-13-01", []),
        ("within 60 days", []),
    ],
)
def test_the_days_of_a_letter_are_found_however_they_are_written(
    text: str, days: list[str]
) -> None:
    assert [day.isoformat() for day in days_in_letter(text)] == days


def test_a_name_counts_as_a_whole_word_alone() -> None:
    known = ["gpt-4", "gpt-4.1", "gpt-4.1-mini", "gpt-4.1-nano", "mini"]
    assert names_in_letter(LETTER, known) == ["gpt-4.1", "gpt-4.1-mini", "gpt-4.1-nano"]
    assert names_in_letter("Goodbye, gpt-4.", known) == ["gpt-4"]


def test_a_pasted_letter_shows_what_it_touches_and_sets_it_only_when_agreed(cast: Cast) -> None:
    vendor = make_vendor("openai", platform="openai")
    for name in ("gpt-4.1", "gpt-4.1-mini", "gpt-6-luna", "gpt-5"):
        make_model(vendor, name)
    make_agent("of-alice", owner=cast.alice)
    given: dict[str, Any] = {
        "vendor": "openai", "letter": LETTER, "date_precision": "exact",
        "replacement": "gpt-6-luna", "source": "https://vendor.example/deprecations",
        "reason": "their letter",
    }  # fmt: skip
    sam = browser_of(cast.sam)
    assert sam.get("/models/notice/").status_code == 200
    shown = sam.post("/models/notice/", given)
    page = shown.content.decode()
    assert shown.status_code == 200
    assert "Set their end to 2027-01-14" in page
    assert "2 models" in page
    assert not LifecycleOverride.objects.exists()
    agreed = given | {"retires_on": "2027-01-14", "take": "yes"}
    assert sam.post("/models/notice/", agreed).status_code == 302
    ends = dict(Model.objects.values_list("name", "retires_on"))
    assert [name for name, day in ends.items() if day == date(2027, 1, 14)] == [
        "gpt-4.1", "gpt-4.1-mini",
    ]  # fmt: skip
    assert LifecycleChange.objects.filter(kind="announced").count() == 2
    assert {one.source for one in LifecycleOverride.objects.all()} == {given["source"]}


@pytest.mark.parametrize(
    ("letter", "words"),
    [
        ("nothing of yours ends on 2027-01-01", "names no model"),
        ("gpt-5 ends on 2027-01-01 or 2027-02-01", "Say which"),
        ("gpt-5 ends soon", "Say when they end"),
    ],
)
def test_a_letter_that_leaves_something_open_says_what(cast: Cast, letter: str, words: str) -> None:
    make_model(make_vendor("openai", platform="openai"), "gpt-5")
    given = {"vendor": "openai", "letter": letter, "date_precision": "exact", "reason": "r"}
    answer = browser_of(cast.pat).post("/models/notice/", given)
    assert answer.status_code == 422
    assert words in answer.content.decode()


def test_only_those_who_may_set_ends_by_hand_enter_a_notice(cast: Cast) -> None:
    assert browser_of(cast.alice).get("/models/notice/").status_code == 403
    page = browser_of(cast.alice).get("/models/sources/").content.decode()
    assert "Enter a notice" not in page
    assert "Enter a notice" in browser_of(cast.pat).get("/models/sources/").content.decode()
