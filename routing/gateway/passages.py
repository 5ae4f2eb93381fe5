"""How a call goes to one target: as it is, fitted to a profile, or in another dialect's words.

Owns the choice, and the stage that says an answer in the agent's words again. What the vendor
says in the words of its dialect is read there; what it says of failing keeps its status and
its text. Headers of one dialect stay on their side.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

import orjson

from kernel import clock
from ledger.entries import Fact
from routing.gateway.body import CallBody, member_spans
from routing.gateway.errors import VendorGarbage
from routing.gateway.mapping.faults import fault_for_chat, fault_for_messages
from routing.gateway.mapping.losses import Losses
from routing.gateway.mapping.translation import WAYS, Answering, Sought, Way
from routing.gateway.ports import Headers
from routing.gateway.profiles.known import BY_NAME
from routing.gateway.profiles.profile import Rule, fit
from routing.gateway.relay import NOTHING, Asked, Passage, Stage, straight
from routing.gateway.requests import Request
from routing.gateway.snapshot import Target
from routing.gateway.sse import Event
from routing.gateway.wires.chat import Chat
from routing.gateway.wires.messages import Messages
from routing.gateway.wires.wire import Wire, read_json

_WIRES: Final[Mapping[str, Wire]] = {"chat": Chat(), "messages": Messages()}
_DONE: Final = b"data: [DONE]\n\n"
_PING: Final = b": ping\n\n"  # a comment, which keeps a connection from looking idle
_LONGEST_TEXT: Final = 2000
_BETA: Final = "anthropic-beta"


def is_spoken(wire: Wire, target: Target) -> bool:
    """Tell whether a target takes a call as it is."""
    vendor = target.vendor
    return vendor.dialect == wire.dialect.name and (
        not wire.is_lasting or vendor.serves(wire.operation)
    )


def way_to(wire: Wire, target: Target) -> Way | None:
    """Return how a call that a target does not take as it is can be translated."""
    return WAYS.get((wire.operation, target.vendor.dialect))


def passage_to(asked: Asked, target: Target) -> Passage:
    """Return the way of a call to a target. Raises: CannotTranslate."""
    if not is_spoken(asked.wire, target) and (way := way_to(asked.wire, target)) is not None:
        return _translated(way, asked, target)
    rules = target.rules.get(asked.wire.operation)
    return straight(asked, target) if not rules else _fitted(rules, asked, target)


def _fitted(rules: tuple[Rule, ...], asked: Asked, target: Target) -> Passage:
    """Return the way of a call that is said as it is, but for what the vendor does not take."""
    body, facts = _fit(rules, asked.body, target)
    if body.streams and BY_NAME[target.vendor.profile].reports_unasked:
        body = replace(body, reports_usage=True)  # so that nobody asks for it
    return Passage(asked.wire, asked.wire.for_vendor(body, target.model.name), facts)


def _fit(
    rules: tuple[Rule, ...], body: CallBody, target: Target
) -> tuple[CallBody, dict[str, Fact]]:
    facts: dict[str, Fact] = {}
    if body.spans.keys().isdisjoint(rule.member for rule in rules):
        return body, facts
    fitted = fit(body.text, rules, BY_NAME[target.vendor.profile].title)
    if fitted is None:
        return body, facts
    if fitted.dropped:
        facts["params_dropped"] = [*fitted.dropped]
    if fitted.changed:
        facts["params_changed"] = [*fitted.changed]
    # Read once already, and strictly; what was done to it changes nothing the wire reads.
    return replace(body, text=fitted.text, spans=member_spans(fitted.text)), facts


def _translated(way: Way, asked: Asked, target: Target) -> Passage:
    call = json.loads(asked.body.text)
    losses = Losses(may_drop=asked.route.options.drop_hints)
    sought = Sought(target.model.name, target.model.max_output_tokens)
    said = way.ask(call, sought, losses)
    wire = _WIRES[way.asked_on]
    body = json.dumps(said, ensure_ascii=False, separators=(",", ":")).encode()
    facts: dict[str, Fact] = {"translated": way.name}
    if rules := target.rules.get(wire.operation):
        fitted = fit(body.decode(), rules, BY_NAME[target.vendor.profile].title)
        if fitted is not None:
            body = fitted.text.encode()
            losses.dropped += [one for one in fitted.dropped if one != "stream_options"]
            losses.changed += fitted.changed
    if losses.dropped:
        facts["params_dropped"] = [*losses.dropped]
    if losses.changed:
        facts["params_changed"] = [*losses.changed]

    at = int(clock.now().timestamp())

    def translation() -> Stage:
        return Translation(way.answering(call, at), asked.wire, wire)

    return Passage(wire, body, facts, translation, at)


def noting_headers(passage: Passage, request: Request) -> Passage:
    """Put on record what an agent's headers asked of a dialect that is not spoken there."""
    if passage.translation is None or request.header(_BETA) is None:
        return passage
    dropped = passage.facts.get("params_dropped", [])
    listed = [*dropped, _BETA] if isinstance(dropped, list) else [_BETA]
    return replace(passage, facts={**passage.facts, "params_dropped": listed})


def marks(passage: Passage) -> Headers:
    """Return the headers that tell an agent how its call went."""
    facts = passage.facts
    if not facts:
        return []
    found: Headers = []
    if isinstance(way := facts.get("translated"), str):
        found.append((b"x-unsprawl-translated", way.replace("→", "->").encode()))
    for name in ("params_dropped", "params_changed"):
        if isinstance(listed := facts.get(name), list):
            told = ", ".join(map(str, listed)).encode("ascii", "replace")
            found.append((f"x-unsprawl-{name.replace('_', '-')}".encode(), told))
    return found


class Translation(Stage):
    """What one target answers, said in the agent's dialect."""

    def __init__(self, answering: Answering, agents: Wire, vendors: Wire) -> None:
        self._answering = answering
        self._agents = agents
        self._vendors = vendors

    def whole(self, status: int, body: bytes) -> bytes:
        document = read_json(body)
        if status >= 400:
            said = (
                "" if isinstance(document, dict) else body[:_LONGEST_TEXT].decode(errors="replace")
            )
            return orjson.dumps(self._fault(document, status, said))
        if not isinstance(document, dict):
            raise VendorGarbage("The vendor's answer is no object, and cannot be translated.")
        return _dumps(self._answering.whole(document))

    def take(self, event: Event) -> list[Event]:
        if event.data is None:
            raise VendorGarbage("An event of the vendor's is too big to be translated.")
        if event.data == b"[DONE]":
            return self._end()
        document = read_json(event.data) if event.data else None
        if not isinstance(document, dict):
            return []
        if self._vendors.dialect.name == "anthropic":
            kind = document.get("type")
            if kind == "message_stop":
                return self._end()
            if kind == "ping":
                return [Event(_PING, b"")]
        if document.get("error") is not None:
            return [self._failed(document)]
        return [self._event(made) for made in self._answering.writer.take(document)]

    def facts(self) -> Mapping[str, Fact]:
        lost = self._answering.lost
        return {"lost_in_translation": [*sorted(lost)]} if lost else NOTHING

    def _end(self) -> list[Event]:
        events = [self._event(made) for made in self._answering.writer.end()]
        if self._agents.operation == "chat":
            events.append(Event(_DONE, b"[DONE]"))
        return events

    def _event(self, document: dict[str, Any]) -> Event:
        data = _dumps(document)
        head = b"" if self._agents.operation == "chat" else _head(str(document["type"]))
        return Event(b"%bdata: %b\n\n" % (head, data), data)

    def _failed(self, document: dict[str, Any]) -> Event:
        made = self._fault(document, 0, "")
        if self._agents.operation == "responses":
            error = made["error"]
            flat = {name: error[name] for name in ("code", "message", "param")}
            made = {"type": "error", "sequence_number": 0, **flat, **made}
        data = orjson.dumps(made)
        head = b"" if self._agents.operation == "chat" else _head("error")
        return Event(b"%bdata: %b\n\n" % (head, data), data)

    def _fault(self, document: Any, status: int, said: str) -> dict[str, Any]:
        if self._agents.dialect.name == "anthropic":
            return fault_for_messages(document, status, "", said)
        return fault_for_chat(document, said)


def _head(kind: str) -> bytes:
    return f"event: {kind}\n".encode()


def _dumps(document: dict[str, Any]) -> bytes:
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode(
        "utf-8", "surrogatepass"
    )
