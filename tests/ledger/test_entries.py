"""A header has one form, whichever way it was written."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernel import clock
from kernel.canonical import NotCanonical
from kernel.refs import Ref
from ledger.entries import GENESIS, Fact, Fields, link

facts = st.dictionaries(
    st.text(max_size=8),
    st.text(max_size=20) | st.integers(-(2**53) + 1, 2**53 - 1) | st.booleans() | st.none()
    | st.lists(st.text(max_size=5), max_size=3),
    max_size=6,
)  # fmt: skip


def header_of(found: dict[str, Fact]) -> bytes:
    fields = Fields(
        "intent", "call.intended", Ref("agent", "a"), Ref("model", "m"), clock.now(), facts=found
    )
    return link(fields, stream="run_x", writer="gw_x", seq=1, prev_hash=GENESIS).header


def by_the_book(raw: bytes) -> bytes:
    """Write a document as RFC 8785 says it: names by UTF-16 unit, no float among the values."""

    def ordered(value: object) -> object:
        if isinstance(value, dict):
            names = sorted(value, key=lambda name: name.encode("utf-16-be"))
            return {name: ordered(value[name]) for name in names}
        return value

    return json.dumps(ordered(json.loads(raw)), ensure_ascii=False, separators=(",", ":")).encode()


@given(facts)
def test_a_header_is_canonical(found):
    raw = header_of(found)
    assert raw == by_the_book(raw)
    assert json.loads(raw)["facts"] == found


@pytest.mark.parametrize("value", [2**53, -(2**53), 2**64, "\ud800", float("nan")])
def test_what_has_no_canonical_form_is_refused(value):
    with pytest.raises(NotCanonical):
        header_of({"x": value})


def test_a_number_with_a_fraction_is_written_as_the_standard_says():
    assert b'"x":1,' in header_of({"x": 1.0, "y": 1})  # type: ignore[dict-item]
