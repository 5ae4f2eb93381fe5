"""The shipped bundle in two engines that share no code: they must agree on every fact."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from policy.bundle import BASE, Bundle
from policy.decision import read_answer
from policy.engine import Judge
from tests.policy.conftest import GOOD

Engine = pytest.importorskip("regorus").Engine

WORDS = st.sampled_from(
    [
        *("", "acme", "sandbox", "classify-invoice", "live", "draft", "internal", "personal"),
        *("regulated", "public", "secret", "eu", "us", "*", "größe", "L2"),
    ]
)
LISTS = st.lists(WORDS, max_size=4)
ODD = st.one_of(st.none(), st.booleans(), st.integers(-3, 3), WORDS, LISTS, st.builds(dict))
CONSTRAINTS = st.dictionaries(
    st.sampled_from(
        ["data_classes", "vendors", "regions", "max_cost_micros", "receipt_level", "other"]
    ),
    st.one_of(LISTS, ODD),
    max_size=3,
)
PATHS = [
    (part, name) for part, facts in GOOD.items() for name in facts if name != "constraints"
]  # fmt: skip
CHANGES = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(PATHS), st.one_of(LISTS, WORDS, ODD)),
        st.tuples(st.just(("route", "constraints")), st.one_of(CONSTRAINTS, CONSTRAINTS, ODD)),
        st.tuples(st.sampled_from([("agent",), ("target",), ("call",), ("route",)]), ODD),
    ),
    max_size=4,
)


@pytest.fixture(scope="module")
def second() -> Any:
    bundle = Bundle.load(BASE)
    engine = Engine()
    for name, source in bundle.modules.items():
        engine.add_policy(name, source)
    engine.add_data_json(bundle.data.decode())
    return engine


@settings(
    max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(changes=CHANGES)
def test_both_engines_give_the_same_answer(judge: Judge, second: Any, changes: Any) -> None:
    facts = copy.deepcopy(GOOD)
    for path, value in changes:
        *parents, last = path
        place: Any = facts
        for name in parents:
            place = place[name] if isinstance(place.get(name), dict) else {}
        place[last] = copy.deepcopy(value)
    second.set_input_json(json.dumps(facts))
    decision = judge.decide(facts)
    expected = read_answer(
        second.eval_rule("data.unsprawl.calls.answer"),
        decision.bundle_digest,
        decision.input_digest,
    )
    assert decision == expected
    assert decision.rule != "policy.unclean"
    assert decision.rule.startswith("calls.")
