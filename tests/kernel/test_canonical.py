from __future__ import annotations

import hashlib
import json
import math
from contextlib import suppress
from typing import Any

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from kernel.canonical import (
    MAX_DEPTH,
    MAX_PARTS,
    BodyTooLarge,
    NotCanonical,
    NotJSON,
    canonical,
    digest,
    digest_bytes,
    strict_loads,
)

texts = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=20)
# A float beyond 2^53 is written as a whole number, which then has no canonical form.
numbers = st.integers(-(2**53) + 1, 2**53 - 1) | st.floats(-(2.0**53) + 1, 2.0**53 - 1)
documents = st.recursive(
    st.none() | st.booleans() | numbers | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=20,
)


@given(documents)
def test_what_is_written_is_read_back(document: Any) -> None:
    assert strict_loads(canonical(document)) == document


@given(documents)
def test_there_is_one_canonical_form(document: Any) -> None:
    respelt = strict_loads(json.dumps(document, indent=3, ensure_ascii=True).encode())
    assert canonical(respelt) == canonical(document)
    assert digest(respelt) == digest(document)


@given(documents)
def test_the_quick_way_and_the_plain_one_write_the_same(document: Any) -> None:
    assert canonical(document) == rfc8785.dumps(document)


@pytest.mark.parametrize("text", [chr(code) for code in (*range(160), 0x2028, 0xFEFF, 0x1F600)])
def test_every_escape_is_the_canonical_one(text: str) -> None:
    assert canonical({"a": text}) == rfc8785.dumps({"a": text})
    assert canonical({text: 1, "b": 2}) == rfc8785.dumps({text: 1, "b": 2})


def test_keys_are_ordered_by_their_utf_16_units() -> None:
    document = {"\U0001f600": 1, "\ue000": 2, "a": {"B": 1, "a": [True, None]}}
    assert canonical(document).decode() == '{"a":{"B":1,"a":[true,null]},"😀":1,"\ue000":2}'


@given(documents)
def test_strict_reading_agrees_with_ordinary_reading(document: Any) -> None:
    raw = json.dumps(document).encode()
    assert strict_loads(raw) == json.loads(raw)


@given(st.binary(max_size=60))
def test_noise_is_read_as_json_or_refused(noise: bytes) -> None:
    with suppress(NotJSON):
        assert strict_loads(noise) == json.loads(noise)


def test_the_published_example_is_written_byte_for_byte() -> None:
    """RFC 8785 §3.2.2 and §3.2.3."""
    source = rb"""{
        "numbers": [333333333.33333329, 1E30, 4.50, 2e-3, 0.000000000000000000000000001],
        "string": "\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/", "literals": [null, true, false]
    }"""
    expected = (
        '{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],'
        '"string":"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}'
    )
    assert canonical(strict_loads(source)).decode() == expected


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (b'{"a": 1, "a": 2}', "'a' appears twice"),
        (b'{"b": {"a": 1, "a": 1}}', "'a' appears twice"),
        (b'{"\\u0061": 1, "a": 2}', "'a' appears twice"),
        (b"NaN", "NaN is not a JSON number"),
        (b"[Infinity]", "Infinity is not"),
        (b"[-Infinity]", "-Infinity is not"),
        (b"1e999", "out of range"),
        (b"-1e999", "out of range"),
        (b"9" * 5000, "cannot be represented"),
        (b'"\\ud800"', "surrogate"),
        (b'{"\\udc00": 1}', "surrogate"),
        (b'[["\\ud800x"]]', "surrogate"),
        (b'"\\u0000"', "NUL"),
        (b'{"a\\u0000": 1}', "NUL"),
        (b'"\x00"', "not JSON"),
        (b'"\xff"', r"not UTF-8 \(byte 1\)"),
        ("\ufeff{}".encode(), "not JSON"),
        (b'"\xed\xa0\x80"', "not UTF-8"),
        (b"", "line 1, column 1"),
        (b"{} {}", "not JSON"),
        (b"{'a': 1}", "not JSON"),
        (b"[1,]", "not JSON"),
        (b"01", "not JSON"),
        (b"[" * 65 + b"]" * 65, "deeper than 64"),
        (b'{"a":' * 65 + b"1" + b"}" * 65, "deeper than 64"),
        (b"[" * 200_000, "deeper than 64"),
    ],
)
def test_what_two_readers_could_read_differently_is_refused(raw: bytes, said: str) -> None:
    with pytest.raises(NotJSON, match=said) as refused:
        strict_loads(raw)
    assert refused.value.code == "kernel.not_json"


@pytest.mark.parametrize(
    "raw",
    [
        b"[" * MAX_DEPTH + b"]" * MAX_DEPTH,
        b'{"a":' * MAX_DEPTH + b"[1]"[1:2] + b"}" * MAX_DEPTH,
        b"[" + b"[]," * 500 + b"[]]",
        b'"\\ud83d\\ude00"',
        b'"\\u0001"',
        b' {"a": [1, "x"]}\n',
    ],
)
def test_what_every_reader_reads_alike_is_read(raw: bytes) -> None:
    assert strict_loads(raw) == json.loads(raw)


def test_a_body_over_the_cap_is_refused_before_it_is_read() -> None:
    assert strict_loads(b"[1]", limit=3) == [1]
    with pytest.raises(BodyTooLarge) as refused:
        strict_loads(b"[1] ", limit=3)
    assert refused.value.facts == {"limit_bytes": 3}


@pytest.mark.parametrize("value", [math.nan, math.inf, 2**53, -(2**53), {1: 2}, {"a": object()}])
def test_what_has_no_canonical_form_is_refused(value: object) -> None:
    with pytest.raises(NotCanonical):
        canonical(value)


def test_what_is_nested_without_end_has_no_canonical_form() -> None:
    endless: list[object] = []
    endless.append(endless)
    with pytest.raises(NotCanonical):
        canonical(endless)


def test_digests_name_their_algorithm() -> None:
    assert digest({"b": 1, "a": 2}) == digest_bytes(b'{"a":2,"b":1}')
    assert digest_bytes(b"x") == "sha256:" + hashlib.sha256(b"x").hexdigest()


@pytest.mark.parametrize("part", [b"{},", b"[],", b"1,", b'[[{"a":'])
def test_a_body_of_too_many_values_is_refused_before_any_is_read(
    part: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[bytes] = []
    monkeypatch.setattr("kernel.canonical._loads", read.append)
    with pytest.raises(BodyTooLarge) as refused:
        strict_loads(b"[" + part * (MAX_PARTS + 1), limit=32 * 1024 * 1024)
    assert refused.value.facts == {"limit_parts": MAX_PARTS}
    assert not read


def test_a_long_text_of_few_values_is_read() -> None:
    body = b'["' + b"a" * (MAX_PARTS * 2) + b'"]'
    assert strict_loads(body, limit=32 * 1024 * 1024)
