"""Two readers of headers that share no code: what one refuses, so does the other."""

from __future__ import annotations

import json
import os
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernel.canonical import canonical
from ledger.headers import HeaderInvalid, read_header
from ledger.standalone import unsprawl_verify as standalone
from tests.ledger.standalone import made

often = settings(max_examples=int(os.environ.get("UNSPRAWL_SOAK_FUZZ", "300")), deadline=None)
TRUE = next(made.headers(1))


def with_facts(facts: dict[str, Any], **members: Any) -> bytes:
    return canonical(json.loads(TRUE) | {"facts": facts} | members)


def ours(raw: bytes) -> bool:
    try:
        read_header(raw)
    except HeaderInvalid:
        return False
    return True


def alone(raw: bytes) -> bool:
    try:
        standalone.read_header(raw)
    except standalone.Malformed:
        return False
    return True


def at_once(raw: bytes) -> bool:
    """Between two true ones, as most are read; None means that it is read with care."""
    return standalone.read_headers([TRUE, raw, TRUE]) is not None


GOOD = [
    TRUE,
    with_facts({}),
    with_facts({"\u00fc": "\u00fc", "z": ["a", "\U0001f600"], "n": -(2**53) + 1, "t": None}),
    with_facts({"\ue000": 1, "\U0001f600": 2}),  # in the order of UTF-16, not of code points
    with_facts({"a": "\n\t\x7f\u2028 \\ \" /"}),
    with_facts({}, kind="report"),
    with_facts({}, on_behalf_of="person:per_1", payload={
        "ciphertext_sha256": "ab" * 32, "commitment": "cd" * 32, "dek": "dek_1", "size": 0,
    }),
]  # fmt: skip
BAD = [
    b"", b"{}", b"[]", b"null", b"\xff", TRUE[:-1], TRUE + b" ", b" " + TRUE, TRUE + TRUE,
    TRUE + b"," + TRUE, TRUE.replace(b'"v":1', b'"v":1.0'), TRUE.replace(b'"v":1', b'"v":true'),
    TRUE.replace(b'"v":1', b'"v":1,"v":1'), TRUE.replace(b'"v":1', b'"v":2'),
    TRUE.replace(b'"v":1', b'"v":1,"w":1'), TRUE.replace(b'"seq":1', b'"seq":0'),
    TRUE.replace(b'"seq":1', b'"seq":9007199254740992'), TRUE.replace(b'"seq":1', b'"seq":1e0'),
    TRUE.replace(b'"seq":1', b'"seq":' + b"1" * 5000), TRUE.replace(b'"seq":1', b'"seq":NaN'),
    TRUE.replace(b"sandbox-1", b"sandbox\\u002d1"), TRUE.replace(b"sandbox-1", b"\\ud800"),
    TRUE.replace(b'"kind":"intent"', b'"kind":"result"'),
    TRUE.replace(b'"kind":"intent"', b'"kind":"other"'),
    TRUE.replace(b"000042Z", b"000042+00:00"), TRUE.replace(b"2026-11-18", b"2026-13-18"),
    TRUE.replace(b'"prev":"0', b'"prev":"G'), TRUE.replace(b'"attempt":1', b'"attempt":[1]'),
    TRUE.replace(b'"attempt":1', b'"attempt":{}'), TRUE.replace(b'"attempt":1', b'"attempt":-0'),
    TRUE.replace(b'"attempt":1', b'"attempt":' + b"[" * 3000 + b"]" * 3000),
    TRUE.replace(b'"attempt":1', b'"attempt":9007199254740992'),
    with_facts({"\ue000": 1, "\U0001f600": 2}).replace(
        '"\U0001f600":2,"\ue000":1'.encode(), '"\ue000":1,"\U0001f600":2'.encode()
    ),
]  # fmt: skip


@pytest.mark.parametrize("raw", GOOD)
def test_a_header_is_one_for_both(raw: bytes) -> None:
    assert (ours(raw), alone(raw)) == (True, True)


@pytest.mark.parametrize("raw", BAD)
def test_what_is_none_is_none_for_both(raw: bytes) -> None:
    assert (ours(raw), alone(raw), at_once(raw)) == (False, False, False)


def test_two_halves_are_not_two_headers() -> None:
    """Joined, they would read as other headers: the border between two must not move."""
    cut = TRUE.index(b',"id"')
    halves = [TRUE[:cut], TRUE[cut + 1 :]]
    assert standalone.read_headers([*halves, TRUE + b"," + TRUE]) is None
    listed = TRUE.replace(b'"attempt":1', b'"attempt":[{}')
    assert standalone.read_headers([listed, b'{"b":1}]}', TRUE + b"," + TRUE]) is None


@often
@given(data=st.data())
def test_both_say_the_same_of_what_was_changed(data: st.DataObject) -> None:
    raw = data.draw(st.sampled_from(GOOD))
    at = data.draw(st.integers(0, len(raw) - 1))
    until = data.draw(st.integers(at, min(len(raw), at + 6)))
    piece = data.draw(
        st.one_of(
            st.binary(max_size=3),
            st.sampled_from([b'"', b"{", b"}", b",", b":", b"[]", b"1", b"\\u0041", b" ", b"true"]),
        )
    )
    changed = raw[:at] + piece + raw[until:]
    judged = alone(changed)
    assert ours(changed) == judged or _knows_more(changed)
    if at_once(changed):
        assert judged


def _knows_more(raw: bytes) -> bool:
    """The commitment's form is looked at by one of them only."""
    return b'"commitment"' in raw
