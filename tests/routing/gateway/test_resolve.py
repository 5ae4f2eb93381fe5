"""The order in which a route's targets are tried."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

from routing.gateway.options import DEFAULTS, read_options
from routing.gateway.resolve import in_order, order
from routing.gateway.snapshot import Model, Route, Target, Vendor

NEVER = 0.0


def vendor(name: str = "acme") -> Vendor:
    return Vendor(f"ven_{name}", name, "openai", "http://x/v1", "none", True, (), None)


def target(name: str, priority: int = 0, weight: int = 100, **over: Any) -> Target:
    is_enabled = over.pop("is_enabled", True)
    model = Model(
        f"mod_{name}", name, "USD", None, None, None, None, None, "", is_enabled, 0.0
    )  # fmt: skip
    return Target(vendor(), model, over.pop("region", ""), weight, priority, **over)


def route(*targets: Target, **options: Any) -> Route:
    ordered = tuple(sorted(targets, key=lambda each: each.priority))
    return Route("rte_1", "classify", {}, True, ordered, 0.0, read_options(options))


def names(found: Route, run: str = "run_1", now: float = NEVER) -> list[str]:
    return [each.model.name for each in order(found, run, now).targets]


def test_priority_comes_first_and_weight_shares_among_equals():
    found = route(target("a", 0, 900), target("b", 0, 100), target("c", 1))
    firsts = Counter(names(found)[0] for _ in range(2000))
    assert 1700 < firsts["a"] < 1900
    assert firsts["c"] == 0
    assert all(names(found)[2] == "c" for _ in range(50))


def test_what_is_disabled_is_no_target():
    assert names(route(target("a", is_enabled=False), target("b", 1))) == ["b"]
    assert [each.model.name for each in in_order(route(target("a")))] == ["a"]


def test_a_sticky_run_keeps_its_order_and_runs_share_by_weight():
    found = route(target("a", 0, 75), target("b", 0, 25), sticky=True)
    for run in ("run_1", "run_2", "run_3"):
        assert len({tuple(names(found, run)) for _ in range(20)}) == 1
    firsts = Counter(names(found, f"run_{number}")[0] for number in range(4000))
    assert 2850 < firsts["a"] < 3150


def test_a_canary_serves_its_share_of_runs_and_no_run_changes_sides():
    found = route(target("old"), target("new", canary_percent=5))
    sides = {f"run_{number}": tuple(names(found, f"run_{number}")) for number in range(4000)}
    assert Counter(sides.values()).keys() == {("old",), ("new", "old")}
    assert 140 < Counter(sides.values())["new", "old"] < 260
    assert all(tuple(names(found, run)) == side for run, side in list(sides.items())[:100])
    more = route(target("old"), target("new", canary_percent=50))
    grown = [run for run, side in sides.items() if side[0] == "new"]
    assert all(names(more, run)[0] == "new" for run in grown)


def test_a_canary_of_nothing_serves_nobody_and_one_of_everything_all():
    runs = [f"run_{number}" for number in range(200)]
    none = route(target("old"), target("new", canary_percent=0))
    every = route(target("old"), target("new", canary_percent=100))
    assert {names(none, run)[0] for run in runs} == {"old"}
    assert {names(every, run)[0] for run in runs} == {"new"}


def test_a_canary_does_not_stand_in_for_the_others():
    found = route(target("old", is_enabled=False), target("new", canary_percent=1))
    assert sum(bool(names(found, f"run_{number}")) for number in range(300)) < 30


def test_an_override_is_first_until_its_moment_and_the_others_still_follow():
    said = {"vendor": "acme", "model": "b", "until": "2026-11-21T18:00:00+00:00"}
    found = route(target("a"), target("b", 1), target("c", 2), override=said)
    until = datetime.fromisoformat(said["until"]).timestamp()
    assert names(found, now=until - 1) == ["b", "a", "c"]
    assert order(found, "run_1", until - 1).choice == "override"
    assert names(found, now=until) == ["a", "b", "c"]
    gone = route(target("a"), target("c"), override=said)
    assert len(names(gone, now=until - 1)) == 2


def test_options_that_are_not_sound_are_as_if_not_said():
    assert read_options({}) is DEFAULTS
    odd = {"fallback_on": "429", "retries": True, "deadline_ms": -1, "override": {"until": "x"}}
    assert read_options(odd) == DEFAULTS
    read = read_options({"fallback_on": ["404"], "retries": 2, "first_byte_ms": 900})
    assert (read.retries, read.first_byte_ms) == (2, 900)
    assert [read.goes_on_after(kind) for kind in ("404", "503", "connect")] == [True, False, False]
    assert [DEFAULTS.goes_on_after(kind) for kind in ("529", "429", "401")] == [True, True, False]


def ending(name: str, priority: int, last: date) -> Target:
    found = target(name, priority)
    return replace(found, model=replace(found.model, retires_on=last))


def test_what_is_past_its_last_day_in_utc_is_tried_last():
    last = date(2026, 11, 30)
    found = route(ending("old", 0, last), target("new", 1))
    on_the_day = datetime(2026, 11, 30, 23, 59, tzinfo=UTC).timestamp()
    assert names(found, now=on_the_day) == ["old", "new"]
    assert names(found, now=on_the_day + 60) == ["new", "old"]


def test_what_is_past_its_end_serves_where_nothing_else_does_and_where_somebody_says_so():
    last = date(2026, 11, 1)
    after = datetime(2026, 12, 1, tzinfo=UTC).timestamp()
    assert names(route(ending("old", 0, last)), now=after) == ["old"]
    override = {"vendor": "acme", "model": "old", "until": "2026-12-24T00:00:00+00:00"}
    found = route(ending("old", 0, last), target("new", 1), override=override)
    assert names(found, now=after) == ["old", "new"]


def test_a_canary_past_its_end_is_none():
    late = replace(ending("new", 0, date(2026, 11, 1)), canary_percent=100)
    after = datetime(2026, 12, 1, tzinfo=UTC).timestamp()
    assert names(route(target("old"), late), now=after) == ["old"]
