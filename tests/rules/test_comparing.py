from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rules.trying.comparing import Answered, compare

# A machine that is busy makes examples slowly; that says nothing of what is tested.
AT_LEISURE = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
MIRROR = {
    "looser": "stricter", "stricter": "looser", "otherwise": "otherwise", "unchanged": "unchanged",
}  # fmt: skip
NAMES = st.lists(st.sampled_from(["a", "b", "c"]), unique=True, max_size=3)
CALLS = st.fixed_dictionaries(
    {
        "allowed_vendors": st.one_of(NAMES, st.just(["*"])),
        "regions": NAMES,
        "max_cost_micros": st.one_of(st.none(), st.integers(0, 3)),
        "receipt_level": st.sampled_from(["L0", "L1", "L2", "L3"]),
    }
)
ACTIONS = st.fixed_dictionaries(
    {
        "approvers": NAMES,
        "quorum": st.integers(1, 3),
        "expires_seconds": st.integers(1, 3),
        "escalate_seconds": st.one_of(st.none(), st.integers(1, 3)),
        "escalate_to": NAMES,
        "checks": NAMES,
        "receipt_level": st.sampled_from(["L0", "L2"]),
    }
)
TOOLS = st.fixed_dictionaries(
    {"mode": st.sampled_from(["allow", "strip", "block"]), "strip": NAMES}
)


def answers(constraints: Any) -> st.SearchStrategy[Answered]:
    return st.one_of(
        st.builds(Answered, st.just("deny"), st.sampled_from(["r.a", "r.b"]), st.just({})),
        st.builds(
            Answered,
            st.sampled_from(["ask", "allow"]),
            st.sampled_from(["r.a", "r.b"]),
            constraints,
        ),
    )


PAIRS = st.one_of(*(st.tuples(answers(kind), answers(kind)) for kind in (CALLS, ACTIONS, TOOLS)))


@AT_LEISURE
@given(PAIRS)
def test_what_is_looser_one_way_is_stricter_the_other_way(pair: tuple[Answered, Answered]) -> None:
    old, new = pair
    assert compare(old, new).found == MIRROR[compare(new, old).found]


@AT_LEISURE
@given(PAIRS)
def test_nothing_is_unchanged_but_what_is_the_same(pair: tuple[Answered, Answered]) -> None:
    old, new = pair
    same = (old.answer, old.rule, old.constraints) == (new.answer, new.rule, new.constraints)
    assert (compare(old, new).found == "unchanged") == same
    assert compare(old, old).found == "unchanged"


@AT_LEISURE
@given(PAIRS)
def test_an_answer_that_lets_more_through_is_looser(pair: tuple[Answered, Answered]) -> None:
    old, new = pair
    freedom = ["deny", "ask", "allow"]
    if freedom.index(new.answer) > freedom.index(old.answer):
        assert compare(old, new).found == "looser"


@pytest.mark.parametrize(
    ("name", "old", "new", "found"),
    [
        ("quorum", 1, 2, "stricter"),
        ("max_cost_micros", None, 5, "stricter"),
        ("max_cost_micros", 5, 6, "looser"),
        ("regions", [], ["eu"], "stricter"),
        ("regions", ["eu"], ["eu", "us"], "looser"),
        ("regions", ["eu"], ["us"], "otherwise"),
        ("allowed_vendors", ["*"], ["acme"], "stricter"),
        ("allowed_vendors", [], ["acme"], "looser"),
        ("receipt_level", "L0", "L2", "stricter"),
        ("approvers", ["role:security"], ["role:security", "role:approver"], "looser"),
        ("checks", [], ["balance"], "stricter"),
        ("expires_seconds", 60, 30, "stricter"),
        ("escalate_to", [], ["role:security"], "otherwise"),
        ("mode", "allow", "block", "stricter"),
        ("strip", ["a"], [], "looser"),
    ],
)
def test_each_constraint_has_its_direction(name: str, old: Any, new: Any, found: str) -> None:
    before, after = Answered("allow", "r.a", {name: old}), Answered("allow", "r.a", {name: new})
    difference = compare(before, after)
    assert difference.found == found
    assert difference.constraints == {name: [old, new]}


def test_constraints_that_pull_both_ways_are_neither() -> None:
    old = Answered("ask", "r.a", {"quorum": 1, "approvers": ["a"]})
    new = Answered("ask", "r.a", {"quorum": 2, "approvers": ["a", "b"]})
    assert compare(old, new).found == "otherwise"


def test_where_the_old_constraints_are_not_known_only_answer_and_rule_are_compared() -> None:
    assert compare(Answered("allow", "r.a"), Answered("allow", "r.a", {"quorum": 2})).found == (
        "unchanged"
    )
    assert compare(Answered("deny", "r.a"), Answered("deny", "r.b", {})).found == "otherwise"
