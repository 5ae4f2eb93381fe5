"""Actions in two engines that share no code, with the settings changed as well."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from policy.bundle import BASE, Bundle
from policy.decision import read_answer
from policy.engine import Judge
from policy.facts import read_facts
from tests.policy.conftest import ACTION, Facts

Engine = pytest.importorskip("regorus").Engine

WORDS = st.sampled_from(
    [
        *("", "erp", "crm", "post-entry", "erp.post-entry", "erp.*", "*", "live", "soft_launch"),
        *("deprecated", "draft", "internal", "regulated", "secret", "write", "money", "message"),
        *("delete", "read", "EUR", "JPY", "1e3", "mon", "sun", "ann@acme.example", "high"),
        *("eve@evil.example", "eve@evil.example,ann@acme.example", "@", "größe", "smtp", "slack"),
    ]
)
NUMBERS = st.one_of(
    st.sampled_from([0, 1, -1, 500, 501, 10_000, 10_001, 500_000_001, 0.5, 500.01, -501]),
    st.integers(-(2**53) + 1, 2**53 - 1),
    st.floats(allow_nan=False, allow_infinity=False, width=32),
)
LISTS = st.lists(WORDS, max_size=4)
ODD = st.one_of(st.none(), st.booleans(), NUMBERS, WORDS, LISTS, st.builds(dict))
ARGUMENTS = st.dictionaries(
    st.sampled_from(["amount", "amount_micros", "total", "currency", "to", "cc", "account"]),
    st.one_of(NUMBERS, WORDS, LISTS, ODD),
    max_size=4,
)
PATHS = [
    *((part, name) for part in ("agent", "action", "requested", "counts") for name in ACTION[part]),
    ("edited",),
    ("agent", "declared"),
]
CHANGES = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(PATHS), st.one_of(WORDS, LISTS, ODD)),
        st.tuples(st.just(("action", "arguments")), ARGUMENTS),
        st.tuples(st.just(("action", "effect")), st.sampled_from(["money", "message", "delete"])),
        st.tuples(st.just(("action", "is_new")), st.booleans()),
        st.tuples(st.just(("counts",)), st.fixed_dictionaries(dict.fromkeys(
            ("hour", "day", "open"), st.integers(0, 200_000)
        ))),
        st.tuples(
            st.just(("agent", "declared")),
            st.fixed_dictionaries({"max_amount": NUMBERS, "currency": WORDS}),
        ),
    ),
    max_size=5,
)  # fmt: skip
STRICTER = {
    "recipients": {"domains": ["acme.example"], "outside": "refuse"},
    "arguments": {
        "refused": ["cc"],
        "values": [{"operation": "erp.*", "argument": "account", "allowed": ["4711", "erp"]}],
    },
    "connections": {"allowed": ["e*"], "refused": ["crm"], "data_classes": {"erp": ["internal"]}},
    "checks": [{"operation": "erp.*", "checks": ["balance"]}],
}


def stricter(bundle: Bundle) -> Bundle:
    document = json.loads(bundle.data)
    for name, value in STRICTER.items():
        place = document["settings"]["actions"]
        place[name] = {**place[name], **value} if isinstance(value, dict) else value
    return Bundle(bundle.modules, json.dumps(document).encode(), bundle.digest)


@pytest.fixture(scope="module", params=["as shipped", "stricter"])
def pair(request: pytest.FixtureRequest) -> Iterator[tuple[Judge, Any]]:
    shipped = Bundle.load(BASE)
    bundle = shipped if request.param == "as shipped" else stricter(shipped)
    engine = Engine()
    for name, source in bundle.modules.items():
        engine.add_policy(name, source)
    engine.add_data_json(bundle.data.decode())
    with Judge(bundle, deadline_seconds=20) as judge:
        yield judge, engine


def changed(changes: list[tuple[tuple[str, ...], Any]]) -> Facts:
    facts = copy.deepcopy(ACTION)
    for path, value in changes:
        *parents, last = path
        place: Any = facts
        for name in parents:
            place = place[name] if isinstance(place.get(name), dict) else {}
        place[last] = copy.deepcopy(value)
    return facts


@settings(
    max_examples=250,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(changes=CHANGES)
def test_both_engines_answer_alike_about_actions(pair: tuple[Judge, Any], changes: Any) -> None:
    judge, second = pair
    facts = changed(changes)
    asked, _ = read_facts(facts)
    assert asked is not None
    second.set_input_json(asked.decode())
    decision = judge.decide(facts)
    expected = read_answer(
        second.eval_rule("data.unsprawl.calls.answer"),
        decision.bundle_digest,
        decision.input_digest,
        question="action",
    )
    assert decision == expected
    assert decision.rule != "policy.unclean"
    assert decision.rule.startswith("actions.")
