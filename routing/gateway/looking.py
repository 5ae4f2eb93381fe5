"""The answer of a vendor, looked at on its way: whole, or event by event.

Owns that no beginning of what is removed gets out. A text is let go as far as it is decided;
the rest follows with its next event, or in one of the same shape before it ends. What cannot
be read is not passed on unseen: where something is removed or refused, it ends the answer.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import Any, Final

import orjson

from ledger.entries import Fact
from routing.gateway.deltas import ALL, Channel, Delta, deltas_of, dumped, ended_by
from routing.gateway.detectors.arguments import Arguments
from routing.gateway.detectors.document import screened_document, screened_text
from routing.gateway.detectors.rules import Rules, Tally
from routing.gateway.detectors.text import Blocked, Passage
from routing.gateway.errors import AnswerBlocked, DetectorFailed
from routing.gateway.relay import Stage
from routing.gateway.sse import Event
from routing.gateway.wires.wire import read_json

OFFLOAD_BYTES: Final = 256 * 1024
# What goes wrong in a detector, whatever it is, closes the call.
FAULTS: Final = (
    ArithmeticError, AssertionError, AttributeError, LookupError, RuntimeError, TypeError,
    ValueError,
)  # fmt: skip
_LOGPROBS: Final = b'"logprobs"'


class LookingStage(Stage):
    """Detectors over one answer."""

    def __init__(self, rules: Rules, operation: str) -> None:
        self._rules = rules
        self._operation = operation
        self._tally = Tally()
        self._open: dict[Channel, tuple[Passage | Arguments, Callable[[str], Event]]] = {}

    def whole(self, status: int, body: bytes) -> bytes | Awaitable[bytes]:
        if len(body) > OFFLOAD_BYTES:
            return asyncio.to_thread(self._guarded, self._whole, body)
        made: bytes = self._guarded(self._whole, body)
        return made

    def take(self, event: Event) -> list[Event]:
        made: list[Event] = self._guarded(self._take, event)
        return made

    def finish(self) -> list[Event]:
        made: list[Event] = self._guarded(self._let_go, [ALL])
        return made

    def facts(self) -> Mapping[str, Fact]:
        return facts_of(self._tally, self._rules, "response")

    @property
    def removes(self) -> bool:
        return self._rules.changes

    def _guarded(self, work: Callable[[Any], Any], given: Any) -> Any:
        try:
            return work(given)
        except Blocked as blocked:
            raise AnswerBlocked(
                f"The answer holds data that this route does not let through: {blocked.kind}."
            ) from None
        except FAULTS:
            raise DetectorFailed from None

    def _whole(self, body: bytes) -> bytes:
        if not isinstance(read_json(body), dict | list):
            return screened_text(body, self._rules, self._tally)
        made = screened_document(body, self._rules, self._tally)
        if self._rules.changes and _LOGPROBS in made:
            document = read_json(made)
            made = dumped(document) if _without_logprobs(document) else made
        return made

    # --- streams

    def _take(self, event: Event) -> list[Event]:
        if event.data is None:
            if self._rules.changes:
                raise DetectorFailed("A part of the answer is too big to be looked at.")
            return [event]
        document = read_json(event.data) if event.data else None
        if not isinstance(document, dict):
            made = screened_text(event.raw, self._rules, self._tally)
            return [event if made is event.raw else Event(made, made)]
        edits: list[tuple[str, str]] = []
        pieces = list(deltas_of(self._operation, document))
        last = {piece.channel: piece for piece in pieces}
        ended = ended_by(self._operation, document)
        # A text that goes on in the event that ends it is finished there, not before.
        before = self._let_go(ended, last) if ended else []
        for piece in pieces:
            is_ended = ALL in ended or piece.channel[0] in ended
            self._piece(piece, edits, is_last=is_ended and last[piece.channel] is piece)
        is_bare = self._rules.changes and _LOGPROBS in event.data and _without_logprobs(document)
        if self._rules.may_hold(event.data):
            self._others(document, {(id(piece.holder), piece.name) for piece in pieces}, edits)
        if edits or is_bare:
            event = _rewritten(event, document, [] if is_bare else edits)
        return [*before, event]

    def _piece(self, piece: Delta, edits: list[tuple[str, str]], *, is_last: bool) -> None:
        text = piece.text
        known = self._open.get(piece.channel)
        if known is None:
            kind = Arguments if piece.is_arguments else Passage
            passage: Passage | Arguments = kind(self._rules, self._tally)
        else:
            passage = known[0]
        made = passage.take(text)
        if is_last:
            made += passage.finish()
            self._open.pop(piece.channel, None)
        else:
            self._open[piece.channel] = passage, piece.more
        if made != text:
            piece.holder[piece.name] = made
            edits.append((text, made))

    def _let_go(self, ended: list[object], but: Collection[Channel] = ()) -> list[Event]:
        events: list[Event] = []
        for channel in [*self._open]:
            if channel not in but and (ALL in ended or channel[0] in ended):
                passage, more = self._open.pop(channel)
                if rest := passage.finish():
                    events.append(more(rest))
        return events

    def _others(
        self, part: Any, pieces: set[tuple[int, str]], edits: list[tuple[str, str]]
    ) -> None:
        """Look at every other text of an event, which is whole in it."""
        items = part.items() if isinstance(part, dict) else enumerate(part)
        for name, value in [*items]:
            if isinstance(value, dict | list):
                self._others(value, pieces, edits)
            elif isinstance(value, str) and (id(part), name) not in pieces:
                raw = dumped(value)
                made = screened_document(raw, self._rules, self._tally)
                if made is not raw:
                    part[name] = json.loads(made)
                    edits.append((value, part[name]))


def facts_of(tally: Tally, rules: Rules, direction: str) -> dict[str, Fact]:
    """Return what the record says of what was found: kinds, numbers, actions."""
    facts: dict[str, Fact] = {}
    if tally.found:
        facts[f"found_in_{direction}"] = tally.facts(rules)
    if tally.skipped:
        facts[f"files_in_{direction}"] = tally.skipped
    return facts


def _rewritten(event: Event, document: Any, edits: list[tuple[str, str]]) -> Event:
    assert event.data is not None  # noqa: S101  it was read
    data = _spliced(event.data, document, edits)
    if event.raw.count(event.data) == 1:
        return Event(event.raw.replace(event.data, data), data)
    lines = event.raw.splitlines(keepends=True)
    kept = b"".join(line for line in lines if line.strip() and not line.startswith(b"data"))
    return Event(kept + b"data: " + data + b"\n\n", data)


def _spliced(data: bytes, document: Any, edits: list[tuple[str, str]]) -> bytes:
    """Replace texts where they stand, when that is plain; else write the document anew."""
    made = data
    for before, after in edits:
        old = dumped(before)
        if made.count(old) != 1:
            return dumped(document)
        made = made.replace(old, dumped(after))
    if not edits:
        return dumped(document)
    try:
        is_same = bool(orjson.loads(made) == document)
    except orjson.JSONDecodeError:
        is_same = False
    return made if is_same else dumped(document)


def _without_logprobs(part: Any) -> bool:
    """Empty what repeats a text token by token, where nothing could be found in it."""
    found = False
    for name, value in [*part.items()] if isinstance(part, dict) else []:
        if name == "logprobs" and value:
            part[name] = [] if isinstance(value, list) else None
            found = True
    nested = part.values() if isinstance(part, dict) else part
    for value in nested:
        if isinstance(value, dict | list):
            found = _without_logprobs(value) or found
    return found
