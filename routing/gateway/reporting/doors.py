"""The two addresses at which agents report: traces in OTLP, and steps as JSON.

Owns who is let in (an agent's key, with or without a delegation, whose agent may call), what
is read of a request, and into which run a step goes: the one that the request names, the
session that the step names, the run its trace is in already, else the trace itself, which is
where the gateway puts the calls of that trace.
"""

from __future__ import annotations

import asyncio
import re
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import suppress
from itertools import islice
from typing import Final

import orjson

from kernel.errors import DomainError
from routing.gateway.authenticate import Caller
from routing.gateway.delegation.acting import says_for_whom
from routing.gateway.errand import Trace
from routing.gateway.pipeline import Pipeline, still
from routing.gateway.protection import Protection
from routing.gateway.reporting import json_spans, protobuf
from routing.gateway.reporting.answers import exported
from routing.gateway.reporting.conventions import step_of
from routing.gateway.reporting.desk import Desk, Reporter
from routing.gateway.reporting.documents import LIMIT as DOCUMENT_LIMIT
from routing.gateway.reporting.documents import read_steps
from routing.gateway.reporting.errors import ReportedRunUnknown, SpansUnreadable, TypeNotTaken
from routing.gateway.reporting.known import Known
from routing.gateway.reporting.pace import Room, Turns
from routing.gateway.reporting.screening import ReportScreen
from routing.gateway.reporting.spans import Span
from routing.gateway.reporting.steps import Step
from routing.gateway.reporting.unpacking import LIMIT, unzipped
from routing.gateway.requests import Answer, Receive, Request, read_body
from routing.gateway.runs import RunLabelUnusable, RunName, is_run_of, run_named

RUN_HEADER: Final = "x-unsprawl-run"
MOST_SPANS: Final = 20_000
_MOST_COUNTED: Final = 100_000
_AT_ONCE: Final = 512
_CHILDREN_KEPT: Final = 10_000
_OFFLOAD_BYTES: Final = 64 * 1024
_CLIENT: Final = 3
_RUN_ID: Final = re.compile(r"run_[0-9a-z]{26}")
_PROTOBUF_TYPES: Final = frozenset({"application/x-protobuf", "application/protobuf"})


def is_json(request: Request) -> bool:
    """Tell whether an exporter speaks JSON; else it speaks protobuf."""
    return _type_of(request) == "application/json"


class Reporting:
    """Both addresses, as a gateway serves them."""

    def __init__(self, pipeline: Pipeline, desk: Desk, protection: Protection) -> None:
        self._pipeline = pipeline
        self._desk = desk
        self._protection = protection
        self._room = Room()

    async def take_entries(
        self, label: str, request: Request, receive: Receive, answer: Answer, trace: Trace
    ) -> None:
        """Record steps in a run of the agent's own, and answer with their entries."""
        caller = await self._pipeline.authenticate(request)
        raw = await read_body(request, receive, limit=DOCUMENT_LIMIT)
        run = _own_run(caller.agent.public_id, label)
        trace.run_id = run.run_id
        steps = read_steps(raw, request.header("idempotency-key"))
        async with self._room.entered(caller.agent.public_id):
            reporter = await self._reporter(caller, request)
            taken = await self._desk.take(reporter, steps, lambda step, known: run)
        told = [
            {"id": one.entry_id, "recorded": one.is_new} if one is not None else {"refused": True}
            for one in taken
        ]
        status = 201 if any(one is not None and one.is_new for one in taken) else 200
        headers = [(b"content-type", b"application/json"), (b"cache-control", b"no-store")]
        body = orjson.dumps({"run": run.run_id, "entries": told})
        await answer.give(status, headers + trace.headers(), body)

    async def take_traces(
        self, request: Request, receive: Receive, answer: Answer, trace: Trace
    ) -> None:
        """Record the steps that spans tell of; pass over the others."""
        caller = await self._pipeline.authenticate(request)
        if not (is_json(request) or _type_of(request) in _PROTOBUF_TYPES):
            raise TypeNotTaken("Send traces as application/x-protobuf, or application/json.")
        encoding = (request.header("content-encoding") or "identity").strip().lower()
        if encoding not in {"identity", "gzip"}:
            raise TypeNotTaken("Send traces as they are, or packed by gzip.")
        raw = await read_body(request, receive, limit=LIMIT, encodings=("identity", "gzip"))
        named = request.header(RUN_HEADER)
        async with self._room.entered(caller.agent.public_id):
            reporter = await self._reporter(caller, request)
            if encoding == "gzip":
                raw = await _unzipped(raw)
            spans = json_spans.read_spans(raw) if is_json(request) else protobuf.read_spans(raw)
            batch = _Batch(reporter.agent_id, named, spans)
            rejected, why = await self._take_spans(reporter, batch)
        headers, body = exported(rejected, why, is_json=is_json(request))
        await answer.give(200, headers, body)

    async def _take_spans(self, reporter: Reporter, batch: _Batch) -> tuple[int, str]:
        """Return how many spans were not taken, and why."""
        refused = recorded = 0
        while True:
            try:
                steps = await batch.following()
            except SpansUnreadable as error:
                before = f" {recorded} steps before it were taken." if recorded else ""
                raise SpansUnreadable(f"{error.detail}{before}") from None
            if not steps:
                break
            # Reading and recording the last few may have taken a while.
            still(reporter.caller, await self._pipeline.snapshots.fresh())
            taken = await self._desk.take(reporter, steps, batch.run_of)
            refused += sum(one is None for one in taken)
            recorded += len(taken)
        why = "The ledger does not take some spans." if refused else batch.why
        return refused + batch.nameless + batch.left_over, why

    async def _reporter(self, caller: Caller, request: Request) -> Reporter:
        if says_for_whom(request):
            caller = await self._pipeline.acting(caller, request)
        else:
            caller = still(caller, await self._pipeline.snapshots.fresh())
        tag = self._pipeline.tag(caller, request)
        return Reporter(caller, ReportScreen(self._protection, caller.agent), tag)


class _Batch:
    """The spans of one request, and what is known of their traces."""

    def __init__(self, agent_id: str, named: str | None, spans: Iterator[Span]) -> None:
        self._agent_id = agent_id
        self._run = run_named(agent_id, named) if named is not None else None
        self._spans = islice(spans, MOST_SPANS)
        self._beyond = spans
        self._sessions: dict[str, str] = {}
        # Who hands a trace on makes a span of its own around the request that carries it.
        self._children: OrderedDict[str, list[str]] = OrderedDict()
        self._runs: dict[str, RunName] = {}
        self.nameless = 0
        self.left_over = 0

    @property
    def why(self) -> str:
        if self.left_over:
            return f"A request has at most {MOST_SPANS} spans; send the others in another one."
        return "Some spans have no trace_id or no span_id." if self.nameless else ""

    async def following(self) -> list[Step]:
        """Return the next few hundred steps; none when there are no more."""
        turns, steps = Turns(), list[Step]()
        for span in self._spans:
            await turns.give()
            if not span.is_named:
                self.nameless += 1
                continue
            if span.kind == _CLIENT and span.parent_id:
                self._note_child(span)
            step = step_of(span)
            if step is None:
                continue
            inner = self._children.get(f"{span.trace_id}-{span.span_id}", [])
            step.callers = (f"{span.trace_id}-{span.span_id}", *inner)
            if step.label:
                self._sessions.setdefault(step.trace_id, step.label)
            steps.append(step)
            if len(steps) == _AT_ONCE:
                return steps
        for _ in islice(self._beyond, _MOST_COUNTED):
            await turns.give()
            self.left_over += 1
        return steps

    def _note_child(self, span: Span) -> None:
        around = f"{span.trace_id}-{span.parent_id}"
        self._children.setdefault(around, []).append(f"{span.trace_id}-{span.span_id}")
        if len(self._children) > _CHILDREN_KEPT:
            self._children.popitem(last=False)

    def run_of(self, step: Step, known: Known) -> RunName:
        """Name the run of a step."""
        if self._run is not None:
            return self._run
        for label in (
            step.label,
            self._sessions.get(step.trace_id, ""),
            known.runs.get(step.trace_id, ""),
        ):
            if label and (run := self._named(label)) is not None:
                return run
        return run_named(self._agent_id, step.trace_id)

    def _named(self, label: str) -> RunName | None:
        if label not in self._runs:
            with suppress(RunLabelUnusable):
                self._runs[label] = run_named(self._agent_id, label)
        return self._runs.get(label)


def _own_run(agent_id: str, label: str) -> RunName:
    """Name a run by its label or its id. Raises: ReportedRunUnknown, RunLabelUnusable."""
    if _RUN_ID.fullmatch(label) and not is_run_of(agent_id, label):
        raise ReportedRunUnknown
    return run_named(agent_id, label)


async def _unzipped(raw: bytes) -> bytes:
    if len(raw) > _OFFLOAD_BYTES // 8:
        return await asyncio.to_thread(unzipped, raw)
    return unzipped(raw)


def _type_of(request: Request) -> str:
    try:
        said = request.header("content-type") or ""
    except DomainError:
        return ""
    return said.partition(";")[0].strip().lower()
