"""Alignments: what the stated model accepts, and what holds for every run and declaration."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fleet.conformance.aligning import Alignment, Step, align, collapsed

DECLARED = [Step("fetch", True), Step("classify", True), Step("file", True)]
NAMES = ["fetch", "classify", "file", "spy"]
events = st.lists(st.sampled_from(NAMES), max_size=9)
declared = st.lists(
    st.tuples(st.sampled_from(NAMES[:3]), st.booleans()), max_size=5, unique_by=lambda one: one[0]
).map(lambda rows: [Step(*row) for row in rows])


def held(seen: list[str], steps: list[Step] | None = None) -> Alignment:
    steps = DECLARED if steps is None else steps
    return align(seen, steps, lambda event, at: event == steps[at].name)


def found(seen: list[str]) -> set[tuple[str, str]]:
    return {(each.kind, each.step) for each in held(seen).findings}


@pytest.mark.parametrize(
    "seen",
    [
        ["fetch", "classify", "file"],
        ["fetch", "fetch", "classify", "file", "file"],
        ["fetch", "classify", "fetch", "classify", "file"],
        ["fetch", "classify", "file", "fetch", "classify", "file"],
    ],
)
def test_the_declared_order_may_repeat_any_part(seen: list[str]) -> None:
    aligned = held(seen)
    assert not aligned.deviates
    assert aligned.fitness_permille == 1000


def test_a_step_that_was_left_out_is_named() -> None:
    assert found(["fetch", "file"]) == {("missing", "=classify")}
    assert [each.after for each in held(["fetch", "file"]).findings] == ["=fetch"]


def test_what_is_not_declared_is_named() -> None:
    assert found(["fetch", "spy", "classify", "file"]) == {("unexpected", "spy")}


def test_a_step_at_the_wrong_time_is_out_of_order_and_not_left_out_as_well() -> None:
    assert [kind for kind, _ in found(["classify", "fetch", "file"])] == ["order"]


def test_a_step_that_leaves_no_trace_may_be_passed_over() -> None:
    steps = [Step("fetch", False), Step("classify", True)]
    assert not held(["classify"], steps).deviates
    assert not held(["fetch", "classify"], steps).deviates


def test_an_ending_before_the_last_step_is_a_deviation() -> None:
    assert found(["fetch", "classify"]) == {("missing", "=file")}


@given(events, declared)
def test_fitness_is_whole_exactly_when_nothing_differs(seen: list[str], steps: list[Step]) -> None:
    aligned = held(seen, steps)
    assert 0 <= aligned.cost <= aligned.worst
    assert 0 <= aligned.fitness_permille <= 1000
    assert (aligned.fitness_permille == 1000) == (not aligned.deviates)
    assert bool(aligned.findings) == aligned.deviates
    assert len(aligned.path) == len(seen)


@given(events, declared)
def test_repeating_a_step_costs_nothing_where_it_fitted(seen: list[str], steps: list[Step]) -> None:
    once = collapsed(seen)
    again = [event for event in once for _ in range(2)]
    whole = held(once, steps)
    if not whole.deviates:
        assert not held(again, steps).deviates


@given(events, declared)
def test_something_undeclared_always_costs_exactly_one(seen: list[str], steps: list[Step]) -> None:
    for at in range(len(seen) + 1):
        more = [*seen[:at], "unheard-of", *seen[at:]]
        assert held(more, steps).cost == held(seen, steps).cost + 1


@settings(max_examples=60)
@given(st.lists(st.sampled_from(NAMES), max_size=5), declared)
def test_no_reading_is_cheaper_than_the_one_that_was_found(
    seen: list[str], steps: list[Step]
) -> None:
    assert held(seen, steps).cost == cheapest(seen, steps)


def cheapest(seen: list[str], steps: list[Step]) -> int:
    """Try every reading: each event either fits one step or does not fit."""
    required = [step.is_required for step in steps]
    choices = [[None, *(at for at, step in enumerate(steps) if step.name == one)] for one in seen]
    best = len(seen) + len(steps)
    for reading in itertools.product(*choices):
        cost, place = 0, 0
        for at in reading:
            if at is None:
                cost += 1
                continue
            cost += sum(required[place:at])
            place = at + 1
        best = min(best, cost + sum(required[place:]))
    return best
