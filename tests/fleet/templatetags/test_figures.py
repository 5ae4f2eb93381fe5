"""Amounts, times and names as people read them."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet.templatetags import figures

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("micros", "text"),
    [
        (None, figures.DASH),
        (0, "$0.00"),
        (5, "$0.000005"),
        (4_200, "$0.0042"),
        (10_000, "$0.01"),
        (1_234_567_890, "$1,234.57"),
        (-20_000, "\u2212$0.02"),
    ],
)
def test_money_is_exact_to_the_cent_and_keeps_what_is_smaller(
    micros: int | None, text: str
) -> None:
    assert figures.money(micros) == text


def test_money_in_another_currency_names_it() -> None:
    assert figures.money(2_500_000, "EUR") == "€2.50"
    assert figures.money(2_500_000, "SEK") == "SEK 2.50"


def test_large_amounts_are_shortened_only_where_asked() -> None:
    assert figures.money_short(9_000_000_000) == "$9,000.00"
    assert figures.money_short(12_345_000_000) == "$12.3k"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (999, "999"),
        (1_000, "1k"),
        (1_234, "1.2k"),
        (99_950, "100k"),
        (999_499, "999k"),
        (999_500, "1M"),
        (2_000_000_000, "2B"),
        (0.53, "0.53"),
        (None, figures.DASH),
    ],
)
def test_counts_are_shortened_to_a_few_characters(value: float | None, text: str) -> None:
    assert figures.compact(value) == text


@given(st.integers(min_value=0, max_value=10**11))
def test_a_shortened_count_is_never_longer_than_five_characters(value: int) -> None:
    assert len(figures.compact(value)) <= 5


@pytest.mark.parametrize(
    ("ratio", "text"),
    [
        (0, "0%"),
        (0.00001, "<0.1%"),
        (0.5, "50%"),
        (0.98213, "98.2%"),
        (0.9999, ">99.9%"),
        (1, "100%"),
        (None, figures.DASH),
    ],
)
def test_all_and_nothing_are_only_said_when_exact(ratio: float | None, text: str) -> None:
    assert figures.percent(ratio) == text


@pytest.mark.parametrize(
    ("milliseconds", "text"),
    [
        (0.42, "0.42 ms"),
        (850, "850 ms"),
        (1_240, "1.24 s"),
        (61_000, "1 min 1 s"),
        (3_700_000, "1 h 1 min"),
    ],
)
def test_a_latency_is_written_in_the_unit_one_thinks_in(milliseconds: float, text: str) -> None:
    assert figures.duration(milliseconds) == text


@pytest.mark.parametrize(
    ("moment", "text"),
    [
        (NOW - timedelta(seconds=20), "just now"),
        (NOW - timedelta(minutes=3), "3 min ago"),
        (NOW + timedelta(days=24), "in 24 d"),
        (NOW - timedelta(days=70), "2 mo ago"),
        (NOW.date(), "today"),
        (date(2027, 3, 1), "in 3 mo"),
    ],
)
def test_a_moment_is_told_relative_to_now(moment: datetime | date, text: str) -> None:
    assert figures.relative(moment, NOW) == text


def test_an_exact_moment_names_its_zone() -> None:
    elsewhere = NOW.astimezone(tz=None)
    assert figures.exact(elsewhere) == "21 Nov 2026, 12:00 UTC"


@pytest.mark.parametrize(
    ("name", "letters"),
    [
        ("Maria Lindqvist", "ML"),
        ("tomasz.wojcik@example.com", "TW"),
        ("Cher", "C"),
        ("", "?"),
    ],
)
def test_initials_stand_for_a_name_or_an_address(name: str, letters: str) -> None:
    assert figures.initials(name) == letters
