"""What a route may say about its attempts."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kernel import clock
from routing.actions.route_options import checked_options
from routing.errors import RouteInvalid
from routing.gateway.options import DEFAULTS, read_options

TARGETS = [("acme", "a-1", ""), ("acme", "a-2", "eu")]


def checked(stored: dict[str, Any] | None = None, **said: Any) -> dict[str, Any]:
    return checked_options(said, TARGETS, stored=stored or {})


def override(hours: float = 1, **over: Any) -> dict[str, Any]:
    until = (clock.now() + timedelta(hours=hours)).isoformat()
    return {"vendor": "acme", "model": "a-1", "until": until, "reason": "acme-2 is slow"} | over


def test_what_becomes_of_undeclared_tools_is_kept() -> None:
    assert checked(tools="strip") == {"tools": "strip"}
    assert checked(tools=None) == {}


def test_what_is_said_is_kept_and_read_by_the_gateway():
    kept = checked(
        fallback_on=["timeout", "429", "5xx", "429"], retries=1, deadline_ms=30_000,
        first_byte_ms=5000, sticky=True, override=override(),
    )  # fmt: skip
    assert kept["fallback_on"] == ["429", "5xx", "timeout"]
    read = read_options(kept)
    assert (read.retries, read.deadline_ms, read.first_byte_ms) == (1, 30_000, 5000)
    assert read.sticky
    assert read.override is not None
    assert (read.override.model, read.override.region) == ("a-1", "")


def test_what_is_not_said_is_not_kept():
    assert checked(retries=0, sticky=False, deadline_ms=None, override=None) == {}
    assert checked(fallback_on=[]) == {"fallback_on": []}


@pytest.mark.parametrize(
    ("said", "field"),
    [
        ({"fallback": ["429"]}, "options"),
        ({"fallback_on": "429"}, "options.fallback_on"),
        ({"fallback_on": ["200"]}, "options.fallback_on"),
        ({"fallback_on": ["always"]}, "options.fallback_on"),
        ({"fallback_on": [["429"]]}, "options.fallback_on"),
        ({"retries": 4}, "options.retries"),
        ({"retries": "1"}, "options.retries"),
        ({"deadline_ms": 0}, "options.deadline_ms"),
        ({"first_byte_ms": True}, "options.first_byte_ms"),
        ({"first_byte_ms": 3_600_001}, "options.first_byte_ms"),
        ({"sticky": "yes"}, "options.sticky"),
        ({"tools": "perhaps"}, "options.tools"),
        ({"tools": True}, "options.tools"),
        ({"override": "acme/a-1"}, "options.override"),
        ({"override": override(until="soon")}, "options.override.until"),
        ({"override": override(until="2027-01-01T00:00:00")}, "options.override.until"),
        ({"override": override(hours=-1)}, "options.override.until"),
        ({"override": override(hours=24 * 31)}, "options.override.until"),
        ({"override": override(reason=" ")}, "options.override.reason"),
        ({"override": override(reason="x" * 501)}, "options.override.reason"),
        ({"override": override(model="a-2")}, "options.override"),
        ({"override": override(who="me")}, "options.override"),
        ({"shadow": "acme/a-1"}, "options.shadow"),
        ({"shadow": {"vendor": "acme", "percent": 5}}, "options.shadow"),
        ({"shadow": {"vendor": "acme", "model": "a-1", "percent": 0}}, "options.shadow.percent"),
    ],
)
def test_what_would_not_work_is_refused_by_name(said, field):
    with pytest.raises(RouteInvalid) as refused:
        checked(**said)
    assert refused.value.facts["field"] == field


def test_an_override_that_time_went_by_does_not_keep_a_route_from_being_said_again():
    kept = checked(override=override())
    with clock.held_at(clock.now() + timedelta(days=2)):
        assert checked(stored=kept, **kept) == kept
        without_it = [("acme", "a-2", "eu")]
        assert checked_options(kept, without_it, stored=kept) == {}
        with pytest.raises(RouteInvalid):
            checked(**kept)


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(st.dictionaries(st.sampled_from(["fallback_on", "retries", "deadline_ms", "sticky",
                                        "translate", "drop_hints"]),
                       st.recursive(st.none() | st.booleans() | st.integers() | st.text(),
                                    lambda inner: st.lists(inner, max_size=3))))  # fmt: skip
def test_whatever_is_said_is_refused_or_read_as_it_was_kept(said):
    try:
        kept = checked(**said)
    except RouteInvalid:
        return
    read = read_options(kept)
    wanted = kept.get("fallback_on", DEFAULTS.fallback_on)
    assert (read.retries, read.deadline_ms) == (kept.get("retries", 0), kept.get("deadline_ms"))
    assert read.fallback_on == frozenset(wanted)
    assert read.translate is kept.get("translate", True)
    assert read.drop_hints is kept.get("drop_hints", False)
