"""Rights shrink from hand to hand, whatever is asked for on the way."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routing.gateway.delegation.rights import DelegationWidens, Rights, Wish
from routing.gateway.tools.naming import Tool

NAMES = ["a", "b", "c", "ab", "abc"]
some = st.frozensets(st.sampled_from(NAMES))
patterns = st.lists(st.sampled_from([*NAMES, "*", "a*", "ab*"]), max_size=4).map(tuple)
rights = st.builds(
    Rights,
    routes=some,
    data_classes=some,
    tools=st.lists(patterns, max_size=2).map(tuple),
    max_cost_micros=st.none() | st.integers(0, 10),
)
wishes = st.builds(
    Wish,
    routes=st.none() | some,
    data_classes=st.none() | some,
    tools=st.none() | patterns,
    max_cost_micros=st.none() | st.integers(0, 12),
)


def is_within(made: Rights, link: Rights) -> bool:
    caps = made.max_cost_micros, link.max_cost_micros
    return (
        made.routes <= link.routes
        and made.data_classes <= link.data_classes
        and all(
            link.lent().effect_of(Tool(name)) is not None
            for name in NAMES
            if made.lent().effect_of(Tool(name)) is not None
        )
        and (caps[1] is None or (caps[0] is not None and caps[0] <= caps[1]))
    )


@given(root=rights, steps=st.lists(st.tuples(wishes, rights), min_size=1, max_size=5))
def test_what_is_left_is_within_every_link(root: Rights, steps: list[tuple[Wish, Rights]]) -> None:
    links, held = [root], root
    for wish, to in steps:
        try:
            held = held.narrowed(wish, to)
        except DelegationWidens:
            return
        assert held.routes <= to.routes
        assert held.data_classes <= to.data_classes
        assert all(is_within(held, link) for link in links)
        links.append(held)


def test_what_was_written_is_read_again() -> None:
    said = Rights(frozenset({"a"}), frozenset({"b"}), (("x", "y*"), ()), 5)
    assert Rights.read(said.written()) == said


def test_an_empty_list_of_tools_permits_none() -> None:
    held = Rights(frozenset("a"), frozenset("b"))
    none = held.narrowed(Wish(tools=()), held)
    assert none.lent().effect_of(Tool("a")) is None
    with pytest.raises(DelegationWidens, match="tool"):
        none.narrowed(Wish(tools=("a",)), held)
