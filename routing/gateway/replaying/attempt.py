"""One attempt, carried through our own code once more and compared with its record.

Owns the order of the steps and what each is compared by. Everything that was not ours to
decide (moments, ids, the chosen target, what the vendor sent, what ended it from outside)
is taken from the record; everything else is done again.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final

import orjson

from kernel import clock
from kernel.canonical import canonical, digest_bytes
from kernel.errors import DomainError
from kernel.refs import Ref
from ledger.entries import Fact
from policy.decision import Decision
from routing.gateway.decide import Decider
from routing.gateway.exchange import Exchange
from routing.gateway.mapping.losses import CannotTranslate
from routing.gateway.open_calls import OpenCalls, Patience
from routing.gateway.passages import noting_headers, passage_to
from routing.gateway.ports import Outgoing
from routing.gateway.protection import protection_of
from routing.gateway.recording.annexes import DETECTORS, SECRETS, Annex, received_in
from routing.gateway.recording.attempt import Attempt, Outcome, Subject
from routing.gateway.recording.facts import result_facts
from routing.gateway.recording.setups import Setup
from routing.gateway.relay import Asked, Passage, Relays, Withheld, call_facts
from routing.gateway.replaying.recorded import RecordedEntry
from routing.gateway.replaying.report import MISSING, Step, compared, compared_bytes
from routing.gateway.replaying.vendor import RecordedReply, RecordedVendor, ending
from routing.gateway.requests import Answer, Request
from routing.gateway.screening import DataScreen
from routing.gateway.tools.judging import ToolScreen
from routing.gateway.tools.stage import tool_stage
from routing.gateway.wires.chat import Chat
from routing.gateway.wires.embeddings import Embeddings
from routing.gateway.wires.messages import CountTokens, Messages
from routing.gateway.wires.responses import KeptResponse, Responses
from routing.gateway.wires.wire import Wire

_WIRES: Final[dict[str, Wire]] = {
    wire.operation: wire for wire in (Chat(), Responses(), Embeddings(), Messages(), CountTokens())
}
_KEPT_PATH: Final = re.compile(r"/responses/([^/]+)(/.*)?")
SCREENED: Final = (
    "tools_offered", "tools_digest", "tools_mode", "tools_undeclared", "tools_undelegated",
    "tools_stripped", "tools_servers", "found_in_request", "files_in_request",
)  # fmt: skip
SAID: Final = ("translated", "params_dropped", "params_changed")
METERED: Final = (
    "input_tokens", "output_tokens", "cached_tokens", "usage_estimated", "cost_micros", "currency",
)  # fmt: skip
ENDED: Final = (
    "status", "http_status", "error", "reported_model", "model_substituted", "response_id",
    "lost_in_translation", "tool_calls", "tool_calls_count", "tool_calls_refused",
    "found_in_response", "files_in_response", "payload_cut", "withheld",
)  # fmt: skip
# Endings that say the attempt was never carried to its end by the code that began it.
_UNFINISHED: Final = frozenset({"journal_down", "not_recordable", "entry_too_large"})
_BETA: Final = "anthropic-beta"
WORDS: Final = {
    DETECTORS: "detectors took data out of it, which is kept nowhere",
    SECRETS: "it held a credential, which is kept nowhere",
    "size": "it was too big to be kept twice",
}


@dataclass(frozen=True, slots=True)
class Bench:
    """What attempts of one setup are replayed with."""

    setup: Setup
    decider: Decider
    artifacts: Mapping[str, bytes]


class Missing(Exception):
    """Raised when a step cannot be carried out; says why."""

    def __init__(self, step: str, why: str) -> None:
        super().__init__(why)
        self.step = Step(step, MISSING, why)


async def replay_attempt(
    intent: RecordedEntry, result: RecordedEntry | None, bench: Bench
) -> list[Step]:
    """Return the steps of one attempt, as far as they can be carried out."""
    steps: list[Step] = []
    try:
        asked = await _asked(intent, bench, steps.append)
        steps.append(await _decided(intent, asked, bench))
        passage = _passage(intent, asked, bench, steps.append)
        await _answered(intent, result, asked, passage, bench, steps.append)
    except Missing as missing:
        steps.append(missing.step)
    except (Withheld, DomainError, CannotTranslate) as refusal:
        steps.append(_refused(steps, refusal))
    return steps


# --- what the agent asked, and what of it may leave


async def _asked(intent: RecordedEntry, bench: Bench, note: Callable[[Step], None]) -> Asked:
    if intent.payload is None:
        raise Missing("reading", intent.unread or "the call's body is not on record")
    annex, setup = intent.annex, bench.setup
    unkept = annex.head.get("unkept")
    if unkept == SECRETS:
        raise Missing("reading", f"The call's body: {WORDS[SECRETS]}.")
    came = annex.body if "came" in annex.head else intent.payload
    wire = wire_of(intent.text("operation"), str(annex.head.get("path", "")))
    body = wire.read(came)
    note(compared("reading", "streamed", intent.facts.get("streamed"), body.streams))
    screens = (ToolScreen(bench.decider), _data_screen(setup))
    asked = await Relays(screens=screens).screened(
        Asked(wire, setup.agent, setup.route, body, came)
    )
    if unkept:
        note(Step("screening", MISSING, f"What came before it: {WORDS[str(unkept)]}."))
        return replace(asked, facts=_some(intent.facts, SCREENED), told=_told(intent))
    if asked.raw != intent.payload:
        note(compared_bytes("screening", "the screened call", intent.payload, asked.raw))
    else:
        note(_compared_facts("screening", SCREENED, intent.facts, asked.facts))
    return asked


def wire_of(operation: str, path: str = "") -> Wire:
    """Return the wire of a kind of call. Raises: Missing."""
    if (wire := _WIRES.get(operation)) is not None:
        return wire
    if (kept := _KEPT_PATH.fullmatch(path)) is not None:
        return KeptResponse(operation, "GET", kept[1], kept[2] or "")
    raise Missing("reading", f"this code knows no call of the kind {operation!r}")


def _data_screen(setup: Setup) -> DataScreen:
    return DataScreen(protection_of(setup.protection))


def _told(intent: RecordedEntry) -> dict[str, object]:
    found = intent.facts.get("found_in_request")
    kinds = [one.partition(":")[0] for one in found] if isinstance(found, list) else []
    return {"found": kinds} if kinds else {}


# --- what was decided


async def _decided(intent: RecordedEntry, asked: Asked, bench: Bench) -> Step:
    setup = bench.setup
    kept = bench.artifacts.get(intent.text("input"))
    said = orjson.loads(kept) if kept is not None else {}
    delegated, granted = said.get("delegation"), said.get("grants", ())
    facts = call_facts(asked, setup.agent, setup.route, setup.target, delegated, granted)
    question = canonical(facts)
    if kept is not None and kept != question:
        return compared_bytes("decision", "what policy is asked", kept, question)
    asked_about = compared("decision", "input", intent.text("input"), digest_bytes(question))
    if kept is None and asked_about.found != "same":
        raise Missing("decision", "what policy was asked is not on record")
    decision = await bench.decider.decide(facts)
    return decided_alike(intent, decision, "allow")


def decided_alike(entry: RecordedEntry, decision: Decision, answer: str) -> Step:
    """Compare a decision with the one on record."""
    found = "allow" if decision.allow else ("ask" if decision.ask else "deny")
    recorded = f"{answer} by {entry.text('rule')}" if entry.text("rule") else answer
    replayed = f"{found} by {decision.rule}" if entry.text("rule") else found
    return compared("decision", "the decision", recorded, replayed)


# --- what left


def _passage(
    intent: RecordedEntry, asked: Asked, bench: Bench, note: Callable[[Step], None]
) -> Passage:
    head = intent.annex.head
    dropped = intent.facts.get("params_dropped")
    headers = {_BETA.encode(): b"-"} if isinstance(dropped, list) and _BETA in dropped else {}
    at = datetime.fromtimestamp(int(head.get("at", 0)), UTC)
    with clock.held_at(at):
        passage = noting_headers(passage_to(asked, bench.setup.target), _request(headers))
    if "sent" not in head:
        raise Missing("leaving", "what left is not on record")
    sent = hashlib.sha256(passage.body).hexdigest()
    note(_compared_facts("leaving", SAID, intent.facts, passage.facts))
    note(compared("leaving", "SHA-256 of the body that left", head["sent"], sent))
    return passage


def _request(headers: dict[bytes, bytes]) -> Request:
    moment = datetime.fromtimestamp(0, UTC)
    return Request("POST", "/", headers, frozenset(), moment, 0.0)


# --- what came back


async def _answered(
    intent: RecordedEntry,
    result: RecordedEntry | None,
    asked: Asked,
    passage: Passage,
    bench: Bench,
    note: Callable[[Step], None],
) -> None:
    annex = _annex_of(result)
    assert result is not None  # noqa: S101  just looked at
    assert result.payload is not None  # noqa: S101  just looked at
    relays = Relays(makers=(tool_stage, _data_screen(bench.setup).stage))
    target, noted = bench.setup.target, _Noted()
    attempt = _attempt(intent, bench.setup)
    exchange = Exchange(
        request=_request({}),
        answer=Answer(_to_nobody, _nothing_more),
        attempt=attempt,
        wire=asked.wire,
        reader=passage.wire,
        relay=relays.relay(asked, target, passage),
        body=asked.body,
        open_call=OpenCalls(Patience()).add(None, target.vendor),
        patience=Patience(),
        marks=[],
        elapsed_ms=lambda: 0,
        goes_on_after=lambda failure: bool(annex.head.get("gave_way")),
    )
    if annex.head.get("unsent"):
        exchange.before_sending = partial(_kept_back, ending("", annex.head.get("broke")))
    outgoing = Outgoing("POST", target.vendor.address("/"), {}, passage.body)
    await exchange.carry_out(outgoing, _vendor(result, annex, attempt), noted)
    outcome = noted.outcome
    cost = outcome.usage.cost_micros(target.model)
    facts = result_facts(attempt, outcome, cost)
    note(compared_bytes("relaying", "what was delivered", result.payload, outcome.payload))
    note(_compared_facts("metering", METERED, result.facts, facts))
    note(_compared_facts("ending", ENDED, result.facts, facts))


def _annex_of(result: RecordedEntry | None) -> Annex:
    """Return what stands behind a result that can be replayed. Raises: Missing."""
    if result is None:
        raise Missing("relaying", "the call has no result on record")
    if result.facts.get("status") == "unknown" or result.text("error") in _UNFINISHED:
        raise Missing("relaying", "its gateway did not carry it to its end")
    if result.payload is None:
        raise Missing("relaying", result.unread or "the answer's body is not on record")
    annex = result.annex
    if unkept := annex.head.get("unkept"):
        raise Missing("relaying", f"What the vendor sent: {WORDS[str(unkept)]}.")
    return annex


def _attempt(intent: RecordedEntry, setup: Setup) -> Attempt:
    return Attempt(
        subject=Subject(
            actor=Ref("agent", setup.agent.public_id),
            stream="",
            scope=setup.agent.public_id,
            data_class="internal",
            agent_id=setup.agent.public_id,
        ),
        entry_id=intent.entry_id,
        route=setup.route.name,
        requested_model=intent.text("requested_model"),
        target=setup.target,
        streamed=intent.facts.get("streamed") is True,
        decided={},
        started_at=intent.recorded_at,
        operation=intent.text("operation"),
    )


def _vendor(result: RecordedEntry, annex: Annex, attempt: Attempt) -> RecordedVendor:
    assert result.payload is not None  # noqa: S101  callers have looked
    status = result.facts.get("http_status")
    status = status if isinstance(status, int) else 0
    end = ending(result.text("status"), annex.head.get("broke"))
    if status == 0:
        return RecordedVendor(end or DomainError("nothing came"))
    is_stream = annex.head.get("stream", attempt.streamed and 200 <= status < 300)
    chunks = received_in(annex, result.payload)
    return RecordedVendor(RecordedReply(status, chunks, end, is_stream=bool(is_stream)))


async def _kept_back(cause: Exception | None) -> None:
    if cause is not None:
        raise cause


class _Noted:
    """Where the end of a replayed attempt goes: nowhere but here."""

    outcome: Outcome

    async def conclude(self, attempt: Attempt, outcome: Outcome) -> None:
        self.outcome = outcome


async def _to_nobody(message: Any) -> None:
    """Send nothing."""


async def _nothing_more() -> Any:
    await asyncio.Event().wait()


# --- comparing


def _some(facts: Mapping[str, Fact], names: Iterable[str]) -> dict[str, Fact]:
    return {name: facts[name] for name in names if name in facts}


def _compared_facts(
    step: str, names: Iterable[str], recorded: Mapping[str, Fact], replayed: Mapping[str, Fact]
) -> Step:
    for name in names:
        if recorded.get(name) != replayed.get(name):
            return compared(step, name, recorded.get(name), replayed.get(name))
    return Step(step)


def _refused(steps: list[Step], refusal: Exception) -> Step:
    """Say that this code refuses what was let through."""
    error = refusal.error if isinstance(refusal, Withheld) else refusal
    code = error.code if isinstance(error, DomainError) else type(error).__name__
    done = {step.name for step in steps}
    order = ("reading", "screening", "decision", "leaving", "relaying")
    name = next((one for one in order if one not in done), "ending")
    return compared(name, "whether the call may be made", "made", f"refused: {code}")
