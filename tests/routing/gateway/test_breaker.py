"""Circuit breakers: when they open, that they never stay open, and who probes."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from routing.gateway.breaker import Breaker, Breakers, Limits, Name

LIMITS = Limits()
NAME = Name("mod_1", "eu", "acme", "acme-1")
steps = st.lists(st.tuples(st.floats(0.0, 40.0), st.booleans()), max_size=120)


def opened(now: float = 0.0) -> Breaker:
    breaker = Breaker(LIMITS)
    for _ in range(LIMITS.in_a_row):
        breaker.note(failed=True, begun=now, now=now)
    return breaker


@given(steps)
def test_it_opens_only_after_enough_failures_and_never_later_than_ten_in_a_row(told):
    breaker, now, row = Breaker(LIMITS), 0.0, 0
    seen: list[tuple[float, bool]] = []
    for gap, failed in told:
        now += gap
        breaker.note(failed=failed, begun=now, now=now)
        seen.append((now, failed))
        recent = [failure for at, failure in seen if at > now - LIMITS.window]
        row = row + 1 if failed and gap < LIMITS.window / 10 else int(failed)
        if breaker.state(now) == "open":
            assert sum(recent) >= LIMITS.in_a_row
            return
        assert row < 10


@given(steps)
def test_whatever_happens_it_lets_somebody_through_again(told):
    breaker, now = Breaker(LIMITS), 0.0
    for gap, failed in told:
        now += gap
        if breaker.takes(now):
            breaker.note(failed=failed, begun=now, now=now, rest=gap * 1000)
        assert breaker.until is None or breaker.until <= now + LIMITS.longest_pause
    assert breaker.takes(now + LIMITS.longest_pause + LIMITS.probe)


@given(st.integers(2, 50))
def test_one_call_at_a_time_probes(callers):
    breaker = opened()
    assert not any(breaker.takes(LIMITS.pause - 0.1) for _ in range(callers))
    assert sum(breaker.takes(LIMITS.pause) for _ in range(callers)) == 1
    breaker.let_go()
    assert sum(breaker.takes(LIMITS.pause) for _ in range(callers)) == 1


def test_a_probe_that_serves_closes_it():
    breaker = opened()
    assert breaker.state(LIMITS.pause) == "half_open"
    assert breaker.takes(LIMITS.pause)
    breaker.note(failed=False, begun=LIMITS.pause, now=6.0)
    assert breaker.state(6.0) == "closed"
    breaker.note(failed=True, begun=6.0, now=6.0)
    assert breaker.state(6.0) == "closed"


def test_a_probe_that_fails_opens_it_for_longer_and_not_for_ever():
    breaker, now, pauses = opened(), 0.0, []
    for _ in range(8):
        now = breaker.until or now
        assert breaker.takes(now)
        breaker.note(failed=True, begun=now, now=now)
        pauses.append((breaker.until or now) - now)
    assert pauses[:3] == [10.0, 20.0, 40.0]
    assert pauses[-1] == LIMITS.longest_pause


def test_a_call_from_before_it_opened_says_nothing_about_the_time_since():
    breaker = opened(10.0)
    breaker.note(failed=False, begun=9.0, now=11.0)
    assert breaker.state(11.0) == "open"


def test_a_share_of_failures_opens_it_too():
    breaker = Breaker(LIMITS)
    for number in range(LIMITS.least):
        breaker.note(failed=number % 2 == 0, begun=1.0, now=1.0)
    breaker.note(failed=True, begun=1.0, now=1.0)
    assert breaker.state(1.0) == "open"


def test_it_rests_for_as_long_as_the_vendor_asks_within_bounds():
    for rest, pause in ((30.0, 30.0), (1e9, LIMITS.longest_pause), (0.0, LIMITS.pause)):
        breaker = Breaker(LIMITS)
        for _ in range(LIMITS.in_a_row):
            breaker.note(failed=True, begun=0.0, now=0.0, rest=rest)
        assert breaker.until == pause


def test_changes_are_told_and_targets_that_are_gone_forgotten():
    told = []
    breakers = Breakers(on_change=lambda name, state: told.append((name.vendor, state)))
    for _ in range(LIMITS.in_a_row):
        breakers.note(NAME, failed=True, begun=0.0, now=0.0)
    assert not breakers.takes(Name("mod_1", "eu"), 1.0)
    assert breakers.takes(Name("mod_1", "us"), 1.0)
    assert breakers.takes(NAME, 6.0)
    breakers.note(NAME, failed=False, begun=6.0, now=6.0)
    assert told == [("acme", "open"), ("acme", "closed")]
    breakers.keep_only([])
    assert list(breakers.states(6.0)) == []
