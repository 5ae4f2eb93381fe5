"""Who has the duty when: turns, clocks that change, covers that overlap, rotas that follow."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fleet.health.rota import Pattern, Stand, drawn, held_by, moment_of, planned_at

BERLIN = "Europe/Berlin"
NOW = datetime(2026, 11, 2, 8, tzinfo=UTC)  # a Monday, nine o'clock in Berlin


def weekly(*people: str, start: date = date(2026, 11, 2), **over: object) -> Pattern:
    given = {
        "people": people, "zone": BERLIN, "starts_on": start, "handover": time(9),
        "length_days": 7,
    }  # fmt: skip
    return Pattern(**given | over)  # type: ignore[arg-type]


def who(pattern: Pattern, at: datetime) -> str:
    planned = planned_at([pattern], at)
    return planned[0].has(planned[1]) if planned else ""


def test_each_has_a_week_and_the_first_comes_round_again() -> None:
    rota = weekly("anna", "ben", "carl")
    assert [who(rota, NOW + timedelta(weeks=week)) for week in range(4)] == [
        "anna", "ben", "carl", "anna",
    ]  # fmt: skip
    assert who(rota, NOW - timedelta(seconds=1)) == ""
    assert who(rota, NOW + timedelta(days=7, seconds=-1)) == "anna"


def test_one_person_has_it_always_and_without_people_nobody_has() -> None:
    assert who(weekly("anna"), NOW + timedelta(days=400)) == "anna"
    assert who(weekly(), NOW + timedelta(days=1)) == ""
    held = drawn([weekly("anna")], [], NOW, NOW + timedelta(weeks=6))
    assert [(each.person, each.begins, each.ends) for each in held] == [
        ("anna", NOW, NOW + timedelta(weeks=6))
    ]
    assert drawn([weekly()], [], NOW, NOW + timedelta(weeks=6)) == []


@pytest.mark.parametrize(
    ("day", "told", "utc"),
    [
        # The clocks go from 02:00 to 03:00: half past two does not exist, so when they jump.
        (date(2026, 3, 29), time(2, 30), datetime(2026, 3, 29, 1, 0, tzinfo=UTC)),
        # They go from 03:00 back to 02:00: half past two comes twice, the first is meant.
        (date(2026, 10, 25), time(2, 30), datetime(2026, 10, 25, 0, 30, tzinfo=UTC)),
        (date(2026, 3, 29), time(3, 0), datetime(2026, 3, 29, 1, 0, tzinfo=UTC)),
        (date(2026, 3, 28), time(2, 30), datetime(2026, 3, 28, 1, 30, tzinfo=UTC)),
    ],
)
def test_a_handover_in_an_hour_that_is_missing_or_comes_twice(
    day: date, told: time, utc: datetime
) -> None:
    assert moment_of(day, told, BERLIN) == utc
    rota = weekly("anna", "ben", start=day - timedelta(days=1), handover=told, length_days=1)
    assert who(rota, utc - timedelta(seconds=1)) == "anna"
    assert who(rota, utc) == "ben"


def test_on_a_day_that_a_zone_never_had_the_shift_is_short() -> None:
    # Samoa went over the date line: it had no 30 December 2011, so its handover is at midnight.
    rota = weekly(
        "anna", "ben", "carl", zone="Pacific/Apia", start=date(2011, 12, 29), length_days=1
    )
    held = drawn([rota], [], rota.begins(0), rota.begins(4))
    told = [(each.person, (each.ends - each.begins) // timedelta(hours=1)) for each in held]
    assert told == [("anna", 15), ("ben", 9), ("carl", 24), ("anna", 24)]


ZONES = (BERLIN, "UTC", "America/New_York", "Australia/Lord_Howe", "Pacific/Apia", "Asia/Kathmandu")


@settings(max_examples=150, deadline=None)
@given(
    zone=st.sampled_from(ZONES),
    start=st.dates(date(2025, 1, 1), date(2027, 12, 31)),
    told=st.times().map(lambda each: each.replace(second=0, microsecond=0)),
    days=st.integers(1, 30),
    count=st.integers(1, 5),
    after=st.integers(0, 400 * 24 * 60),
)
def test_at_every_moment_exactly_one_has_the_duty(
    zone: str, start: date, told: time, days: int, count: int, after: int
) -> None:
    people = tuple(f"p{number}" for number in range(count))
    rota = Pattern(people, zone, start, told, days)
    at = rota.starts_at + timedelta(minutes=after)
    turn = rota.turn_at(at)
    assert rota.begins(turn) <= at < rota.begins(turn + 1)
    held = drawn([rota], [], at, at + timedelta(days=40))
    assert held[0].begins == at
    assert held[-1].ends == at + timedelta(days=40)
    assert all(one.ends == two.begins for one, two in pairwise(held))
    assert all(who(rota, each.begins) == each.person for each in held)


def test_of_covers_that_overlap_the_last_one_counts_and_they_follow_each_other() -> None:
    hour = timedelta(hours=1)
    whole = Stand("carl", NOW, NOW + 10 * hour)
    for_anna = Stand("ben", NOW + hour, NOW + 3 * hour, "anna")
    assert held_by("anna", [for_anna, whole], NOW + 2 * hour) == "carl"
    assert held_by("anna", [whole, for_anna], NOW + 2 * hour) == "carl"  # anna has it no more
    assert held_by("anna", [for_anna], NOW + 2 * hour) == "ben"
    assert held_by("dora", [for_anna], NOW + 2 * hour) == "dora"
    for_ben = Stand("emil", NOW, NOW + 2 * hour, "ben")
    assert held_by("anna", [for_anna, for_ben], NOW + hour) == "emil"
    assert held_by("anna", [for_anna], NOW + 3 * hour) == "anna"


def test_the_weeks_ahead_show_covers_and_the_rota_that_follows() -> None:
    first = weekly("anna", "ben")
    second = weekly("carl", start=date(2026, 11, 12))
    cover = Stand("dora", NOW + timedelta(days=1), NOW + timedelta(days=2), "anna")
    held = drawn([first, second], [cover], NOW, NOW + timedelta(days=14))
    told = [(each.person, each.is_cover, (each.ends - each.begins).days) for each in held]
    assert told == [
        ("anna", False, 1), ("dora", True, 1), ("anna", False, 5), ("ben", False, 3),
        ("carl", False, 4),
    ]  # fmt: skip
    ended = Pattern((), BERLIN, date(2026, 11, 9), time(9), 7)
    assert [each.person for each in drawn([first, ended], [], NOW, NOW + timedelta(days=14))] == [
        "anna"
    ]
