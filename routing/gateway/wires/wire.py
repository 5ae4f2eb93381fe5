"""What the gateway must know of a kind of call, and nothing it does with that.

A wire reads what an agent asks and what a vendor answers; it never changes an answer. One
module for each, all of this shape: a new kind of call is a new module here and a line in
`routing.gateway.app`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any, ClassVar

import orjson

from kernel.errors import DomainError
from routing.gateway.body import CallBody, splice
from routing.gateway.dialects import Dialect
from routing.gateway.errors import ResponseNotFound
from routing.gateway.metering import Usage, estimated, reported_model
from routing.gateway.sse import HOLD


@dataclass(slots=True)
class Report:
    """What an answer says of itself, as far as it has come.

    ``so_far`` is a usage that is true of the input and not yet of the output.
    """

    usage: Usage | None = None
    so_far: Usage | None = None
    model: str = ""
    error_code: str = ""
    response_id: str = ""
    goes_on: bool = False  # at the vendor, after this answer
    is_kept: bool = False  # by the vendor, under that id
    events: int = 0


class Verdict(Enum):
    """What becomes of an event of a stream."""

    PASS = "pass"  # noqa: S105  goes to the agent now
    DROP = "drop"  # was asked for by the gateway, not by the agent
    END = "end"  # says that the answer is complete: held back until that is on record


class StreamReading:
    """One stream being read: what it has said of itself, and what becomes of each event."""

    __slots__ = ("report",)

    def __init__(self) -> None:
        self.report = Report()

    def take(self, data: bytes) -> Verdict:
        raise NotImplementedError


class Wire:
    """A kind of call. Stateless: one object serves all calls of its kind."""

    operation: str
    dialect: ClassVar[Dialect]
    path: str  # below the vendor's base address
    method: str = "POST"
    query: ClassVar[frozenset[str]] = frozenset()  # the names that may pass
    hold: ClassVar[int] = HOLD  # how big an event may be and still be read
    is_metered: ClassVar[bool] = True
    has_output: ClassVar[bool] = True  # a model writes something, and that costs
    maxima: ClassVar[tuple[str, ...]] = ()  # the members that bound what it writes
    is_lasting: ClassVar[bool] = True  # its path is the same for every call

    def read(self, raw: bytes) -> CallBody:
        """Read a call. Raises: Malformed leaves."""
        raise NotImplementedError

    def for_vendor(self, body: CallBody, model: str) -> bytes:
        """Return the bytes for a vendor that calls the model so."""
        return splice(body.text, [body.named(model)]).encode()

    def usage_of(self, document: Any) -> Usage | None:
        """Return what a whole answer reports as used, None when it reports nothing."""
        raise NotImplementedError

    def report_of(self, document: dict[str, Any]) -> Report:
        """Return what a whole answer says of itself."""
        return Report(usage=self.usage_of(document), model=reported_model(document))

    def reading(self, body: CallBody) -> StreamReading:
        """Begin to read a stream."""
        raise NotImplementedError

    def texts_of(self, document: Any) -> Iterable[str]:
        """Yield what a model said in a whole answer or in one event."""
        return ()

    def guess(self, body: CallBody, documents: Iterable[bytes], so_far: Usage | None) -> Usage:
        """Estimate what a call used, from its size and from what came back of it."""
        texts = (text for raw in documents for text in self.texts_of(read_json(raw)))
        guessed = estimated(body.size, texts)
        if so_far is None:
            return guessed
        made = max(guessed.output_tokens, so_far.output_tokens)
        return replace(so_far, output_tokens=made, is_estimated=True)

    def error_event(self, error: DomainError, report: Report, request_id: str) -> bytes:
        """Return the typed event that ends a stream which cannot end well."""
        raise NotImplementedError

    def unknown_reference(self, name: str) -> DomainError:
        """Return the refusal of a call that refers to an answer this agent did not get."""
        return ResponseNotFound(f"Response with id '{name[:200]}' not found.", param="id")


def read_json(raw: bytes) -> Any:
    """Read a vendor's JSON as leniently as its own clients do; None when it is none."""
    try:
        return orjson.loads(raw)
    except orjson.JSONDecodeError:
        pass
    try:
        return json.loads(raw)  # takes NaN, which some servers write
    except (ValueError, RecursionError):
        return None
