"""OTLP's traces in protobuf, read span by span as they are asked for.

Owns the reading of hostile bytes: every length is checked against what there is, nothing is
copied before it is wanted, unknown fields are passed over, and whatever is wrong is
`SpansUnreadable`. Ours because a batch must not keep the event loop for longer than one span:
a library reads all of it, or nothing. The tests read the same bytes with that library.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Iterator
from struct import unpack_from
from typing import Any, Final

from routing.gateway.reporting.errors import SpansUnreadable
from routing.gateway.reporting.spans import CUT, EVENTS, Allowance, Event, Scope, Span

_VARINT, _FIXED64, _BYTES, _GROUP, _GROUP_END, _FIXED32 = range(6)
_SIZES: Final = {_FIXED64: 8, _FIXED32: 4}
_DEEPEST_GROUP: Final = 32
_IDS: Final = {1: "trace_id", 2: "span_id", 4: "parent_id"}

Field = tuple[int, int, int, int]  # number, wire type, a value or where it begins, its end


def read_spans(raw: bytes) -> Iterator[Span]:
    """Yield the spans of an ExportTraceServiceRequest. Raises: SpansUnreadable."""
    for number, kind, start, end in _fields(raw, 0, len(raw)):
        if number == 1 and kind == _BYTES:
            yield from _resource_spans(raw, start, end)


def _resource_spans(raw: bytes, start: int, end: int) -> Iterator[Span]:
    resource: dict[str, Any] = {}
    # Looked for first: a writer may put it behind what it belongs to.
    for number, kind, first, last in _fields(raw, start, end):
        if number == 1 and kind == _BYTES:
            resource |= _attributes_in(raw, first, last, 1, Allowance())
    for number, kind, first, last in _fields(raw, start, end):
        if number == 2 and kind == _BYTES:
            yield from _scope_spans(raw, first, last, resource)


def _scope_spans(raw: bytes, start: int, end: int, resource: dict[str, Any]) -> Iterator[Span]:
    name = version = ""
    for number, kind, first, last in _fields(raw, start, end):
        if number == 1 and kind == _BYTES:
            for inner, inner_kind, here, there in _fields(raw, first, last):
                if inner == 1 and inner_kind == _BYTES:
                    name = _text(raw, here, there)
                elif inner == 2 and inner_kind == _BYTES:
                    version = _text(raw, here, there)
    scope = Scope(name, version, resource)
    for number, kind, first, last in _fields(raw, start, end):
        if number == 2 and kind == _BYTES:
            yield _span(raw, first, last, scope)


def _span(raw: bytes, start: int, end: int, scope: Scope) -> Span:
    span, allowance = Span(scope=scope), Allowance()
    for number, kind, first, last in _fields(raw, start, end):
        if kind == _BYTES:
            _part_of_span(span, raw, number, first, last, allowance)
        elif kind == _FIXED64 and number == 7:
            span.started_ns = first
        elif kind == _FIXED64 and number == 8:
            span.ended_ns = first
        elif kind == _VARINT and number == 6:
            span.kind = first & 0xFFFF_FFFF
    span.is_cut = allowance.is_spent
    return span


def _part_of_span(
    span: Span, raw: bytes, number: int, start: int, end: int, allowance: Allowance
) -> None:
    if number in _IDS:
        setattr(span, _IDS[number], raw[start:end].hex())
    elif number == 5:
        span.name = _text(raw, start, end)
    elif number == 9:
        _add_attribute(span.attributes, raw, start, end, allowance)
    elif number == 11:
        if len(span.events) < EVENTS and allowance.take(0):
            span.events.append(_event(raw, start, end, allowance))
        else:
            allowance.is_spent = True
    elif number == 15:
        _note_status(span, raw, start, end)


def _note_status(span: Span, raw: bytes, start: int, end: int) -> None:
    for number, kind, first, last in _fields(raw, start, end):
        if number == 2 and kind == _BYTES:
            span.status_message = _text(raw, first, last)
        elif number == 3 and kind == _VARINT:
            span.status = first & 0xFFFF_FFFF


def _event(raw: bytes, start: int, end: int, allowance: Allowance) -> Event:
    name, at = "", 0
    attributes: dict[str, Any] = {}
    for number, kind, first, last in _fields(raw, start, end):
        if number == 1 and kind == _FIXED64:
            at = first
        elif number == 2 and kind == _BYTES:
            name = _text(raw, first, last)
        elif number == 3 and kind == _BYTES:
            _add_attribute(attributes, raw, first, last, allowance)
    return Event(name, at, attributes)


# --- attributes


def _attributes_in(
    raw: bytes, start: int, end: int, wanted: int, allowance: Allowance
) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for number, kind, first, last in _fields(raw, start, end):
        if number == wanted and kind == _BYTES:
            _add_attribute(found, raw, first, last, allowance)
    return found


def _add_attribute(
    found: dict[str, Any], raw: bytes, start: int, end: int, allowance: Allowance, deep: int = 0
) -> None:
    if not allowance.take(deep):
        return
    name, value = "", None
    for number, kind, first, last in _fields(raw, start, end):
        if number == 1 and kind == _BYTES:
            name = _text(raw, first, last)
        elif number == 2 and kind == _BYTES:
            value = _value(raw, first, last, allowance, deep)
    found[name] = value


def _value(raw: bytes, start: int, end: int, allowance: Allowance, deep: int) -> Any:
    found: Any = None
    for number, kind, first, last in _fields(raw, start, end):
        if kind == _BYTES and number == 5:
            found = _list(raw, first, last, allowance, deep + 1)
        elif kind == _BYTES and number == 6:
            found = _mapping(raw, first, last, allowance, deep + 1)
        elif (number, kind) in _SCALARS:
            found = _SCALARS[number, kind](raw, first, last)
    return found


def _list(raw: bytes, start: int, end: int, allowance: Allowance, deep: int) -> Any:
    found: list[Any] = []
    for number, kind, first, last in _fields(raw, start, end):
        if number == 1 and kind == _BYTES:
            if not allowance.take(deep):
                return [*found, CUT]
            found.append(_value(raw, first, last, allowance, deep))
    return found


def _mapping(raw: bytes, start: int, end: int, allowance: Allowance, deep: int) -> Any:
    found: dict[str, Any] = {}
    for number, kind, first, last in _fields(raw, start, end):
        if number == 1 and kind == _BYTES:
            _add_attribute(found, raw, first, last, allowance, deep)
            if allowance.is_spent:
                break
    return found


# --- the wire


def _text(raw: bytes, start: int, end: int) -> str:
    # One attribute that is no UTF-8 is no reason to lose a batch.
    return raw[start:end].decode("utf-8", "replace")


_SCALARS: Final[dict[tuple[int, int], Callable[[bytes, int, int], Any]]] = {
    (1, _BYTES): _text,
    (2, _VARINT): lambda raw, value, end: bool(value),
    (3, _VARINT): lambda raw, value, end: value - (1 << 64) if value >> 63 else value,
    (4, _FIXED64): lambda raw, value, end: unpack_from("<d", raw, end - 8)[0],
    (7, _BYTES): lambda raw, start, end: b64encode(raw[start:end]).decode(),
}


def _fields(raw: bytes, at: int, end: int) -> Iterator[Field]:
    """Yield the fields of a message: for bytes where they lie, for numbers what they say."""
    while at < end:
        field = _field(raw, at, end)
        number, kind, _, at = field
        if kind == _GROUP:
            at = _after_group(raw, at, end, number)
        elif kind == _GROUP_END:
            raise SpansUnreadable("A group ends that did not begin.")
        else:
            yield field


def _after_group(raw: bytes, at: int, end: int, number: int) -> int:
    """Pass over a group, which no field of OTLP is, but an unknown one may be."""
    open_groups = [number]
    while open_groups:
        number, kind, _, at = _field(raw, at, end)
        if kind == _GROUP:
            open_groups.append(number)
        elif kind == _GROUP_END and open_groups.pop() != number:
            raise SpansUnreadable("A group ends that did not begin.")
        if len(open_groups) > _DEEPEST_GROUP:
            raise SpansUnreadable("Groups are nested too deep.")
    return at


def _field(raw: bytes, at: int, end: int) -> Field:
    tag, at = _varint(raw, at, end)
    number, kind = tag >> 3, tag & 7
    first = 0
    if kind == _BYTES:
        length, first = _varint(raw, at, end)
        at = first + length
    elif kind == _VARINT:
        first, at = _varint(raw, at, end)
    elif size := _SIZES.get(kind):
        first, at = int.from_bytes(raw[at : at + size], "little"), at + size
    elif kind not in {_GROUP, _GROUP_END}:
        raise SpansUnreadable("A field is of a type that there is not.")
    if at > end or not 0 < number < 1 << 29:
        raise SpansUnreadable("A field is longer than what holds it, or has no number.")
    return number, kind, first, at


def _varint(raw: bytes, at: int, end: int) -> tuple[int, int]:
    value = shift = 0
    while at < end:
        byte = raw[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value & 0xFFFF_FFFF_FFFF_FFFF, at
        shift += 7
        if shift > 63:
            break
    raise SpansUnreadable("A number does not end.")
