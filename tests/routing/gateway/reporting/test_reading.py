"""Our reader of OTLP beside the library's: the same spans from the same bytes, and no crash."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import DecodeError
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from routing.gateway.reporting import json_spans, protobuf
from routing.gateway.reporting.errors import SpansUnreadable
from routing.gateway.reporting.spans import Span
from tests.routing.gateway.reporting.conftest import batch, in_protobuf, span

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
SCALARS = (
    TEXT
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False, width=64)
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)
ATTRIBUTES = st.dictionaries(TEXT, VALUES, max_size=4)
NANOSECONDS = st.integers(0, 2**64 - 1).map(str)
HEX = "0123456789abcdef"


def spans() -> st.SearchStrategy[Any]:
    return st.builds(
        lambda name, said, kind, started, ended, trace, code, events: span(
            name, trace, said, kind=kind, startTimeUnixNano=started, endTimeUnixNano=ended,
            status={"code": code, "message": name}, events=events,
        ),
        TEXT, ATTRIBUTES, st.integers(0, 5), NANOSECONDS, NANOSECONDS,
        st.text(HEX, min_size=32, max_size=32), st.integers(0, 2),
        st.lists(st.just({"name": "e", "timeUnixNano": "7", "attributes": []}), max_size=2),
    )  # fmt: skip


BATCHES = st.lists(spans(), max_size=3).map(lambda made: batch(*made))


def plain(value: Any) -> Any:
    """Return a value of the library as ours are: plain JSON."""
    kind = value.WhichOneof("value")
    match kind:
        case None:
            return None
        case "array_value":
            return [plain(one) for one in value.array_value.values]
        case "kvlist_value":
            return {one.key: plain(one.value) for one in value.kvlist_value.values}
        case "bytes_value":
            return MessageToDict(value)["bytesValue"]
        case _:
            return getattr(value, kind)


def theirs(raw: bytes) -> list[Any]:
    request = ExportTraceServiceRequest()
    request.ParseFromString(raw)
    found = []
    for resource in request.resource_spans:
        for scope in resource.scope_spans:
            for one in scope.spans:
                made = Span(
                    one.trace_id.hex(), one.span_id.hex(), one.parent_span_id.hex(), one.name,
                    one.kind, one.start_time_unix_nano, one.end_time_unix_nano, one.status.code,
                    one.status.message,
                    {each.key: plain(each.value) for each in one.attributes},
                )  # fmt: skip
                found.append((made, scope.scope.name, [event.name for event in one.events]))
    return found


def ours(read: Any, raw: bytes) -> list[Any]:
    found = []
    for one in read(raw):
        made = Span(
            one.trace_id, one.span_id, one.parent_id, one.name, one.kind, one.started_ns,
            one.ended_ns, one.status, one.status_message, one.attributes,
        )  # fmt: skip
        found.append((made, one.scope.name, [event.name for event in one.events]))
    return found


@given(BATCHES)
@settings(max_examples=60, deadline=None)
def test_both_read_the_same_from_protobuf_and_from_json(document: Any) -> None:
    raw = in_protobuf(document)
    assert ours(protobuf.read_spans, raw) == theirs(raw)
    assert ours(json_spans.read_spans, json.dumps(document).encode()) == theirs(raw)


@given(BATCHES, st.data())
@settings(max_examples=120, deadline=None)
def test_broken_bytes_are_refused_or_read_and_nothing_else(document: Any, data: Any) -> None:
    raw = bytearray(in_protobuf(document) or b"\x0a\x00")
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(raw) - 1))
        match data.draw(st.integers(0, 2)):
            case 0:
                raw[at] = data.draw(st.integers(0, 255))
            case 1:
                del raw[at : at + data.draw(st.integers(1, 5))]
                raw = raw or bytearray(b"\x00")
            case _:
                raw[at:at] = data.draw(st.binary(max_size=5))
    read_by_us(protobuf.read_spans, bytes(raw))


@given(st.binary(max_size=200))
@settings(max_examples=120, deadline=None)
def test_any_bytes_are_refused_or_read(raw: bytes) -> None:
    read_by_us(protobuf.read_spans, raw)
    read_by_us(json_spans.read_spans, raw)


@given(BATCHES, st.data())
@settings(max_examples=60, deadline=None)
def test_broken_json_is_refused_or_read(document: Any, data: Any) -> None:
    text = json.dumps(document)
    at = data.draw(st.integers(0, len(text) - 1))
    put = data.draw(st.sampled_from(["", "{", "}", "[", "]", '"', ",", ":", "null", "1e999", "\\"]))
    read_by_us(json_spans.read_spans, (text[:at] + put + text[at + 1 :]).encode())


def read_by_us(read: Any, raw: bytes) -> None:
    """Read; what comes can be looked at and be written down."""
    try:
        found = list(read(raw))
    except SpansUnreadable:
        return
    for one in found:
        json.dumps([one.attributes, one.name, one.status_message, one.scope.resource])


@given(BATCHES, st.binary(max_size=30))
@settings(max_examples=60, deadline=None)
def test_what_the_library_takes_is_taken(document: Any, behind: bytes) -> None:
    raw = in_protobuf(document) + behind
    try:
        expected = theirs(raw)
    except DecodeError:
        return
    assert len(ours(protobuf.read_spans, raw)) == len(expected)


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_numbers_that_are_none_are_read(number: float) -> None:
    made = ExportTraceServiceRequest()
    one = made.resource_spans.add().scope_spans.add().spans.add()
    one.attributes.add(key="x").value.double_value = number
    [read] = protobuf.read_spans(made.SerializeToString())
    assert str(read.attributes["x"]) == str(number)


def test_a_resource_behind_its_spans_counts_all_the_same() -> None:
    document = batch(span())
    first = in_protobuf({"resourceSpans": [{"resource": document["resourceSpans"][0]["resource"],
                                            "scopeSpans": []}]})  # fmt: skip
    second = in_protobuf({"resourceSpans": [document["resourceSpans"][0] | {"resource": {}}]})
    # One message in two halves, the spans first: its fields may come in any order.
    inner = second[2 if second[1] < 0x80 else 3 :] + first[2:]
    raw = b"\x0a" + _varint(len(inner)) + inner
    [read] = protobuf.read_spans(raw)
    assert read.scope.resource == {"service.name": "biller"}


def _varint(value: int) -> bytes:
    made = b""
    while value > 0x7F:
        made += bytes([value & 0x7F | 0x80])
        value >>= 7
    return made + bytes([value])
