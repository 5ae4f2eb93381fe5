"""OTLP's traces in JSON, read span by span as they are asked for.

Owns the walk to the spans: what lies around them is read once, each span when its turn comes.
Numbers may be texts (protobuf's JSON), ids are hex, unknown members are passed over.
"""

from __future__ import annotations

import json
import re
from base64 import b64decode, b64encode
from binascii import Error as NotBase64
from collections.abc import Callable, Iterator
from typing import Any, Final

from routing.gateway.reporting.errors import SpansUnreadable
from routing.gateway.reporting.spans import CUT, EVENTS, Allowance, Event, Scope, Span

_decode: Final = json.JSONDecoder(strict=False).raw_decode
_SPACE: Final = re.compile(r"[ \t\n\r]*")
_LONGEST_NUMBER: Final = 40

Entered = Callable[[str, int], Iterator[Span]]


def read_spans(raw: bytes) -> Iterator[Span]:
    """Yield the spans of a request. Raises: SpansUnreadable."""
    try:
        text = raw.decode("utf-8", "replace")
        walk = _Walk(text)
        yield from walk.members(_skip(text, 0), {"resourceSpans": walk.each(walk.resource_spans)})
        if _skip(text, walk.at) != len(text):
            raise SpansUnreadable("Something follows the JSON object.")
    except (json.JSONDecodeError, RecursionError, IndexError, ValueError):
        # A number of thousands of digits is a ValueError, too.
        raise SpansUnreadable("The body is not JSON, or not of OTLP's shape.") from None


class _Walk:
    """Where a reader is in a text. ``at`` is behind what was read last."""

    def __init__(self, text: str) -> None:
        self._text = text
        self.at = 0
        self._resource: dict[str, Any] = {}
        self._scope = Scope()

    def members(self, at: int, known: dict[str, Any]) -> Iterator[Span]:
        """Walk through an object: into the members that are known, over the others."""
        text = self._text
        if text[at] != "{":
            raise SpansUnreadable("There is no object where OTLP has one.")
        at = _skip(text, at + 1)
        while text[at] != "}":
            name, at = _decode(text, at)
            at = _skip(text, at)
            if not isinstance(name, str) or text[at] != ":":
                raise SpansUnreadable("The body is not JSON.")
            at = _skip(text, at + 1)
            enter = known.get(name)
            if enter is not None and text[at] != "n":  # null is as good as absent
                yield from enter(at)
                at = self.at
            else:
                _, at = _decode(text, at)
            at = self._after(at, "}")
        self.at = at + 1

    def each(self, enter: Callable[[int], Iterator[Span]]) -> Callable[[int], Iterator[Span]]:
        """Walk through an array, into each of what it holds."""

        def walk(at: int) -> Iterator[Span]:
            text = self._text
            if text[at] != "[":
                raise SpansUnreadable("There is no array where OTLP has one.")
            at = _skip(text, at + 1)
            while text[at] != "]":
                yield from enter(at)
                at = self._after(self.at, "]")
            self.at = at + 1

        return walk

    def resource_spans(self, at: int) -> Iterator[Span]:
        self._resource = {}
        inner = {
            "resource": self._read_resource,
            "scopeSpans": self.each(self.scope_spans),
        }
        yield from self.members(at, inner)

    def scope_spans(self, at: int) -> Iterator[Span]:
        self._scope = Scope(resource=self._resource)
        yield from self.members(at, {"scope": self._read_scope, "spans": self.each(self._span)})

    def _read_resource(self, at: int) -> Iterator[Span]:
        said, self.at = _decode(self._text, at)
        self._resource = _attributes(_member(said, "attributes"), Allowance())
        return iter(())

    def _read_scope(self, at: int) -> Iterator[Span]:
        said, self.at = _decode(self._text, at)
        name, version = _text(_member(said, "name")), _text(_member(said, "version"))
        self._scope = Scope(name, version, self._resource)
        return iter(())

    def _span(self, at: int) -> Iterator[Span]:
        said, self.at = _decode(self._text, at)
        if not isinstance(said, dict):
            raise SpansUnreadable("There is no object where OTLP has a span.")
        yield _span(said, self._scope)

    def _after(self, at: int, closing: str) -> int:
        """Return where the next one begins, or the closing sign is."""
        text = self._text
        at = _skip(text, at)
        if text[at] == ",":
            at = _skip(text, at + 1)
            if text[at] != closing:
                return at
        elif text[at] == closing:
            return at
        raise SpansUnreadable("The body is not JSON.")


def _skip(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    return found.end() if found is not None else at


def _span(said: dict[str, Any], scope: Scope) -> Span:
    allowance = Allowance()
    status = said.get("status")
    events = said.get("events")
    listed = events if isinstance(events, list) else []
    span = Span(
        trace_id=_text(said.get("traceId")).lower(),
        span_id=_text(said.get("spanId")).lower(),
        parent_id=_text(said.get("parentSpanId")).lower(),
        name=_text(said.get("name")),
        kind=_number(said.get("kind")),
        started_ns=_number(said.get("startTimeUnixNano")),
        ended_ns=_number(said.get("endTimeUnixNano")),
        status=_number(_member(status, "code")),
        status_message=_text(_member(status, "message")),
        attributes=_attributes(said.get("attributes"), allowance),
        events=[_event(one, allowance) for one in listed[:EVENTS] if isinstance(one, dict)],
        scope=scope,
    )
    span.is_cut = allowance.is_spent or len(listed) > EVENTS
    return span


def _event(said: dict[str, Any], allowance: Allowance) -> Event:
    return Event(
        _text(said.get("name")),
        _number(said.get("timeUnixNano")),
        _attributes(said.get("attributes"), allowance),
    )


def _attributes(said: Any, allowance: Allowance, deep: int = 0) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for one in said if isinstance(said, list) else []:
        if not allowance.take(deep):
            break
        if isinstance(one, dict):
            found[_text(one.get("key"))] = _value(one.get("value"), allowance, deep)
    return found


def _value(said: Any, allowance: Allowance, deep: int) -> Any:
    if not isinstance(said, dict) or not said:
        return None
    kind, value = next(iter(said.items()))
    if kind == "arrayValue":
        return _list(_member(value, "values"), allowance, deep + 1)
    if kind == "kvlistValue":
        return _attributes(_member(value, "values"), allowance, deep + 1)
    read = _SCALARS.get(kind)
    return read(value) if read is not None else None


def _list(said: Any, allowance: Allowance, deep: int) -> list[Any]:
    found: list[Any] = []
    for one in said if isinstance(said, list) else []:
        if not allowance.take(deep):
            return [*found, CUT]
        found.append(_value(one, allowance, deep))
    return found


def _member(said: Any, name: str) -> Any:
    return said.get(name) if isinstance(said, dict) else None


def _text(said: Any) -> str:
    if not isinstance(said, str):
        return ""
    return said.encode("utf-8", "replace").decode("utf-8")  # half a pair has no UTF-8


def _number(said: Any) -> int:
    if isinstance(said, str) and len(said) <= _LONGEST_NUMBER:
        try:
            said = int(said)
        except ValueError:
            return 0
    is_number = isinstance(said, int) and not isinstance(said, bool)
    return said if is_number and -(1 << 63) <= said < 1 << 64 else 0


def _double(said: Any) -> float | str | None:
    if isinstance(said, int | float) and not isinstance(said, bool):
        try:
            return float(said)
        except OverflowError:
            return None
    return said if said in {"NaN", "Infinity", "-Infinity"} else None


def _bytes(said: Any) -> str | None:
    try:
        return b64encode(b64decode(_text(said), validate=True)).decode()
    except (NotBase64, ValueError):
        return None


_SCALARS: Final[dict[str, Callable[[Any], Any]]] = {
    "stringValue": _text,
    "boolValue": lambda said: said is True,
    "intValue": _number,
    "doubleValue": _double,
    "bytesValue": _bytes,
}
