"""Which of equal targets is first: by price, by speed, by step."""

from __future__ import annotations

import time
from typing import Any

from routing.gateway.breaker import Name
from routing.gateway.choice import Speeds, rule_for
from routing.gateway.options import read_options
from routing.gateway.resolve import order
from routing.gateway.snapshot import Model, Route, Target, Vendor

VENDOR = Vendor("ven_acme", "acme", "openai", "http://x/v1", "none", True, (), None)


def target(name: str, given: int | None, made: int | None, **over: Any) -> Target:
    model = Model(f"mod_{name}", name, "USD", given, made, None, None, None, "", True, 0.0)
    wanted = {"priority": 0, "has_passed": True} | over
    return Target(VENDOR, model, "", 100, **wanted)


def firsts(*targets: Target, step: str = "", size: int = 4000, **options: Any) -> list[str]:
    return ordered(Speeds(), *targets, step=step, size=size, **options)[0]


def ordered(
    speeds: Speeds, *targets: Target, step: str = "", size: int = 4000, **options: Any
) -> tuple[list[str], str]:
    route = Route("rte_1", "r", {}, True, targets, 0.0, read_options(options))
    rule = rule_for(route.options, step, speeds, size=size, streamed=False)
    found = order(route, "run_1", 0.0, rule)
    return [each.model.name for each in found.targets], found.choice


def test_the_cheapest_depends_on_how_long_the_call_is():
    dear_in, dear_out = target("dear-in", 9_000_000, 1), target("dear-out", 1, 9_000_000)
    free, unknown = target("later", 0, 0, priority=1), target("unknown", None, None)
    targets = dear_in, dear_out, unknown, free
    long, short = (firsts(*targets, choose="cheapest", size=size) for size in (400_000, 40))
    assert long == ["dear-out", "dear-in", "unknown", "later"]
    assert short == ["dear-in", "dear-out", "unknown", "later"]


def test_only_what_passed_is_chosen_and_the_list_decides_where_none_has():
    cheap = target("cheap", 1, 1, has_passed=False)
    dear, dearer = target("dear", 5, 5), target("dearer", 9, 9)
    got = ordered(Speeds(), cheap, dearer, dear, choose="cheapest")
    assert got == (["dear", "dearer", "cheap"], "cheapest")
    assert ordered(Speeds(), cheap, choose="cheapest", sticky=True)[1] != "cheapest"


def test_the_fastest_is_who_was_fast_lately_and_who_is_not_known_is_tried():
    a, b, c = (target(name, 1, 1) for name in "abc")
    speeds, now = Speeds(), time.monotonic()
    for each, seconds in ((a, 3.0), (b, 1.0), (c, 2.0)):
        for _ in range(Speeds.LEAST):
            speeds.note(each.breaker, seconds, now, streamed=False)
    assert ordered(speeds, a, b, c, choose="fastest") == (["b", "c", "a"], "fastest")
    speeds.keep_only([a.breaker, b.breaker])
    assert ordered(speeds, a, b, c, choose="fastest")[0] == ["c", "b", "a"]


def test_what_was_seen_long_ago_is_not_known_any_more():
    speeds, name = Speeds(), Name("mod_1", "")
    for _ in range(5):
        speeds.note(name, 2.0, 1000.0, streamed=True)
    assert speeds.usual(name, 1001.0, streamed=True) == 2.0
    assert speeds.usual(name, 1001.0, streamed=False) == 0.0
    assert speeds.usual(name, 1001.0 + Speeds.LASTS_SECONDS, streamed=True) == 0.0


def test_a_step_has_an_order_of_its_own():
    a, b = target("a", 5, 5), target("b", 9, 9, priority=1)
    steps = {
        "extract": {"first": [{"vendor": "acme", "model": "b"}]},
        "write": {"choose": "cheapest"},
    }
    assert ordered(Speeds(), a, b, step="extract", steps=steps) == (["b", "a"], "listed")
    assert ordered(Speeds(), a, b, step="write", steps=steps) == (["a", "b"], "cheapest")
    assert firsts(a, b, step="other", steps=steps) == ["a", "b"]


def test_a_route_that_says_nothing_chooses_nothing():
    assert not read_options({}).chooses
    assert rule_for(read_options({}), "extract", Speeds(), size=1, streamed=False) is None


def test_an_override_and_a_canary_come_before_any_choice():
    cheap, canary = target("cheap", 1, 1), target("new", 9, 9, canary_percent=100)
    assert ordered(Speeds(), cheap, canary, choose="cheapest") == (["new", "cheap"], "canary")
