"""The body: read strictly, spliced exactly."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernel.canonical import BodyTooLarge, NotJSON
from routing.gateway.body import LIMIT, CallBody, member_spans
from routing.gateway.errors import NotAChatCall
from routing.gateway.wires.chat import Chat

CHAT = Chat()


def read_chat(raw: bytes) -> CallBody:
    return CHAT.read(raw)


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
members = st.dictionaries(
    st.text().filter(lambda name: name not in {"model", "stream", "stream_options"}),
    values,
    max_size=5,
)
spaces = st.sampled_from(["", " ", "\n", "\t \r\n"])


def spelled(document: dict[str, Any], space: str, *, ascii_only: bool) -> bytes:
    text = json.dumps(
        document, ensure_ascii=ascii_only, separators=(f"{space},{space}", f"{space}:{space}")
    )
    return f"{space}{text}{space}".encode("utf-8", "surrogatepass")


def without_surrogates(value: Any) -> bool:
    return not any(0xD800 <= ord(char) < 0xE000 for char in json.dumps(value, ensure_ascii=False))


@given(
    before=members, after=members, space=spaces, ascii_only=st.booleans(), name=st.text(min_size=1)
)
def test_only_the_model_changes(before, after, space, ascii_only, name):
    document = before | {"model": "a-route"} | after
    if (
        not without_surrogates(document)
        or not without_surrogates(name)
        or "\x00" in json.dumps(document)
    ):
        return
    raw = spelled(document, space, ascii_only=ascii_only)
    try:
        body = read_chat(raw)
    except NotJSON:
        return  # NUL and the like: refused, not forwarded
    assert json.loads(CHAT.for_vendor(body, name)) == document | {"model": name}
    if name.isascii() and name.isalnum():
        assert (
            CHAT.for_vendor(body, name) == raw.replace(b'"a-route"', json.dumps(name).encode(), 1)
            or raw.count(b"a-route") > 1
        )


@given(
    before=members,
    options=st.none()
    | st.dictionaries(st.sampled_from(["a", "include_usage", "b"]), st.none() | st.booleans()),
    space=spaces,
    present=st.booleans(),
)
def test_a_stream_asks_for_its_usage_and_keeps_every_other_option(before, options, space, present):
    if not without_surrogates(before):
        return
    document = before | {"model": "m", "stream": True}
    if present:
        document["stream_options"] = options
    try:
        body = read_chat(spelled(document, space, ascii_only=True))
    except NotJSON:
        return
    wanted = ((options if present else None) or {}) | {"include_usage": True}
    assert json.loads(CHAT.for_vendor(body, "m")) == document | {"stream_options": wanted}


@given(members)
def test_spans_are_where_the_values_are(document):
    text = json.dumps(document)
    spans = member_spans(text)
    assert {name: json.loads(text[start:end]) for name, (start, end) in spans.items()} == document


def test_an_escaped_name_is_the_same_name():
    body = read_chat(b'{"mod\\u0065l":"a","stre\\u0061m":true}')
    assert (body.model, body.streams) == ("a", True)
    assert json.loads(CHAT.for_vendor(body, "b"))["model"] == "b"


BAD = {
    "nothing": b"",
    "not JSON": b"{",
    "a comment": b'{"model":"a"}//',
    "two documents": b'{"model":"a"}{}',
    "a name twice": b'{"model":"a","model":"b"}',
    "an escaped name twice": b'{"model":"a","mod\\u0065l":"b"}',
    "a name twice, deep": b'{"model":"a","x":[{"y":1,"y":2}]}',
    "NaN": b'{"model":"a","x":NaN}',
    "infinity": b'{"model":"a","x":-Infinity}',
    "a number out of range": b'{"model":"a","x":1e999}',
    "a byte order mark": b'\xef\xbb\xbf{"model":"a"}',
    "not UTF-8": b'{"model":"\xff"}',
    "UTF-16": '{"model":"a"}'.encode("utf-16"),
    "half a surrogate pair": b'{"model":"a","x":"\\ud800"}',
    "a control character": b'{"model":"a\x01"}',
    "depth": b'{"model":"a","x":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "single quotes": b"{'model':'a'}",
    "a trailing comma": b'{"model":"a",}',
    "a huge integer": b'{"model":"a","x":' + b"9" * 100_000 + b"}",
}
WRONG = {
    "a list": b"[]",
    "a text": b'"model"',
    "null": b"null",
    "no model": b"{}",
    "a number as model": b'{"model":1}',
    "an empty model": b'{"model":""}',
    "a long model": b'{"model":"%s"}' % (b"x" * 201),
    "a text as stream": b'{"model":"a","stream":"yes"}',
    "a list as stream options": b'{"model":"a","stream_options":[]}',
}


@pytest.mark.parametrize("kind", BAD)
def test_what_readers_could_disagree_about_is_refused(kind):
    with pytest.raises(NotJSON):
        read_chat(BAD[kind])


@pytest.mark.parametrize("kind", WRONG)
def test_what_is_no_chat_call_is_refused_by_name(kind):
    with pytest.raises(NotAChatCall):
        read_chat(WRONG[kind])


def test_a_body_past_the_cap_is_refused():
    with pytest.raises(BodyTooLarge):
        read_chat(b" " * (LIMIT + 1))
