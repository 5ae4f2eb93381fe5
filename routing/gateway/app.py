"""The gateway as an ASGI application: which address is what, and the outermost boundary.

Owns the table of addresses and the promise that every request gets one answer in a
vendor's shape, whatever went wrong inside. Everything it needs is given to it; starting
and stopping are the business of whoever made it.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import time
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, Protocol

import orjson
import structlog

from kernel.errors import DomainError, TooLarge
from kernel.refs import new_id
from routing.gateway import agent_end, models_list
from routing.gateway.access_log import AccessLog
from routing.gateway.delegation.acting import HEADER, says_for_whom
from routing.gateway.delegation.granting import Delegating
from routing.gateway.delegation.token import DelegationKeys
from routing.gateway.dialects import ANTHROPIC, OPENAI, Dialect
from routing.gateway.errand import Trace
from routing.gateway.errors import (
    BodyBroken,
    BodyEncoded,
    InternalFault,
    MethodNotTaken,
    ModelNotFound,
    NoSuchPath,
    place_of,
)
from routing.gateway.labels import label_of
from routing.gateway.metrics import CONTENT_TYPE, Metrics
from routing.gateway.pipeline import Pipeline
from routing.gateway.probe import VendorProbe
from routing.gateway.reporting.answers import OTLP_JSON, OTLP_PROTOBUF, PROBLEMS
from routing.gateway.reporting.doors import Reporting, is_json
from routing.gateway.requests import Answer, ClientGone, Receive, Request, Send, read_body
from routing.gateway.successors import successor
from routing.gateway.tracing import Tracer
from routing.gateway.trial import PATH as TRIALS
from routing.gateway.trial import Trials
from routing.gateway.wires.chat import Chat
from routing.gateway.wires.embeddings import Embeddings
from routing.gateway.wires.messages import CountTokens, Messages
from routing.gateway.wires.responses import KeptResponse, Responses
from routing.gateway.wires.wire import Wire

logger = structlog.get_logger("unsprawl.gateway")

_JSON: Final = (b"content-type", b"application/json")
_MODELS: Final = "/v1/models/"
_INTERNAL: Final = "/internal/vendors/"
_TEST: Final = "/test"
_LISTING: Final = "/models"

Serve = Callable[[Request, Receive, Answer, Trace], Awaitable[None]]


class Life(Protocol):
    """What is started before the first request and ended after the last."""

    async def start(self) -> None: ...

    async def stop(self) -> None: ...

    def what_is_missing(self) -> list[str]:
        """Return what keeps the gateway from governing calls; nothing when it is ready."""


@dataclass(frozen=True, slots=True)
class Parts:
    """What an application is made of, once it has started."""

    pipeline: Pipeline
    probe: VendorProbe
    reporting: Reporting
    trials: Trials


class Gateway:
    """The application. Its parts are there once its life has started."""

    def __init__(
        self,
        life: Life,
        parts: Callable[[], Parts],
        metrics: Metrics,
        log: AccessLog,
        tracer: Tracer,
    ) -> None:
        self._life = life
        self._parts = parts
        self._metrics = metrics
        self._log = log
        self._tracer = tracer
        self._busy: set[asyncio.Task[Any]] = set()

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif scope["type"] == "http":
            await self._serve(scope, receive, send)

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        try:
            await self._life.start()
        except Exception as error:
            logger.exception("gateway.start_failed", kind=type(error).__name__)
            await send({"type": "lifespan.startup.failed", "message": type(error).__name__})
            return
        await send({"type": "lifespan.startup.complete"})
        await receive()
        # Calls that were cut by the server's own deadline still put that on the record.
        if self._busy:
            await asyncio.wait(self._busy, timeout=5)
        await self._life.stop()
        await send({"type": "lifespan.shutdown.complete"})

    async def _serve(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        request, answer, trace = Request.of(scope), Answer(send, receive), Trace()
        trace.span = self._tracer.begin(request)
        operation, serve = self._find(request)
        task = asyncio.current_task()
        assert task is not None  # noqa: S101
        self._busy.add(task)
        error: DomainError | None = None
        try:
            await serve(request, receive, answer, trace)
        except DomainError as refusal:
            error = refusal
        except ClientGone:
            return
        except Exception as fault:  # noqa: BLE001  told by its place, and answered
            logger.error(
                "gateway.fault",
                operation=operation,
                kind=type(fault).__name__,
                at=place_of(fault),
            )
            error = InternalFault()
        finally:
            self._busy.discard(task)
        if error is not None:
            await _refuse(error, _dialect_of(request), answer, trace)
        self._note(operation, request, answer, trace, error)

    def _find(self, request: Request) -> tuple[str, Serve]:
        path, method = request.path, request.method
        wire = _WIRES.get(path)
        if wire is not None:
            if method != wire.method:
                return wire.operation, _method_not_taken
            return wire.operation, partial(self._carry, wire)
        if found := _KEPT(path):
            return self._find_kept(found, method)
        listed = _TABLE.get(path) or _below(path)
        if listed is None:
            return "unknown", _no_such_path
        operation, taken, name = listed
        if method not in taken.split():
            return operation, _method_not_taken
        return operation, getattr(self, name)

    def _find_kept(self, found: re.Match[str], method: str) -> tuple[str, Serve]:
        suffix = found[2] or ""
        operation = _ON_KEPT.get((method, suffix))
        if operation is None:
            return "responses", _method_not_taken
        return operation, partial(self._carry, KeptResponse(operation, method, found[1], suffix))

    async def _carry(
        self, wire: Wire, request: Request, receive: Receive, answer: Answer, trace: Trace
    ) -> None:
        await self._parts().pipeline.carry(wire, request, receive, answer, trace)

    async def _models(
        self, request: Request, receive: Receive, answer: Answer, trace: Trace
    ) -> None:
        pipeline = self._parts().pipeline
        caller = await pipeline.authenticate(request)
        snapshot = await pipeline.snapshots.fresh()
        if _dialect_of(request) is ANTHROPIC:
            listed = models_list.anthropic_list(caller, snapshot, request.query)
        else:
            listed = models_list.openai_list(caller, snapshot)
        await _give_json(answer, listed, more=agent_end.beside([], caller.agent))

    async def _model(
        self, request: Request, receive: Receive, answer: Answer, trace: Trace
    ) -> None:
        pipeline = self._parts().pipeline
        caller = await pipeline.authenticate(request)
        snapshot = await pipeline.snapshots.fresh()
        name = request.path.removeprefix(_MODELS)
        is_anthropic = _dialect_of(request) is ANTHROPIC
        try:
            route = models_list.route_named(name, caller, snapshot)
        except ModelNotFound:
            entry = successor(name, caller, snapshot, is_anthropic=is_anthropic)
            await _give_json(answer, entry)
            return
        shape = models_list.anthropic_entry if is_anthropic else models_list.openai_entry
        await _give_json(answer, models_list.named_entry(shape(route), name, route))

    async def _delegate(
        self, request: Request, receive: Receive, answer: Answer, trace: Trace
    ) -> None:
        pipeline = self._parts().pipeline
        raw = await read_body(request, receive)
        caller = await pipeline.authenticate(request)
        desk, keys = Delegating(pipeline.recorder), DelegationKeys(pipeline.peppers())
        if request.method == "DELETE":
            await _give_json(answer, await desk.end(request.header(HEADER), caller, keys))
            return
        if says_for_whom(request):
            caller = await pipeline.acting(caller, request)
        snapshot = await pipeline.snapshots.fresh()
        given = await desk.give(raw, request, caller, snapshot, keys)
        to = snapshot.agent_named(str(given["to"]))
        ending = agent_end.beside([], to) if to is not None else []
        await _give_json(answer, given, status=201, more=ending)

    async def _take_entries(
        self, request: Request, receive: Receive, answer: Answer, trace: Trace
    ) -> None:
        found = _REPORTED(request.path)
        assert found is not None  # noqa: S101  that is how this was found
        await self._parts().reporting.take_entries(found[1], request, receive, answer, trace)

    async def _take_traces(
        self, request: Request, receive: Receive, answer: Answer, trace: Trace
    ) -> None:
        await self._parts().reporting.take_traces(request, receive, answer, trace)

    async def _test_vendor(
        self, request: Request, receive: Receive, answer: Answer, trace: Trace
    ) -> None:
        vendor_id = request.path[len(_INTERNAL) : -len(_TEST)]
        await _give_json(answer, await self._parts().probe.test(vendor_id, request, receive))

    async def _list_vendor(
        self, request: Request, receive: Receive, answer: Answer, trace: Trace
    ) -> None:
        vendor_id = request.path[len(_INTERNAL) : -len(_LISTING)]
        await _give_json(answer, await self._parts().probe.listing(vendor_id, request, receive))

    async def _carry_out_trial(
        self, request: Request, receive: Receive, answer: Answer, trace: Trace
    ) -> None:
        await _give_json(answer, await self._parts().trials.carry_out(request, receive))

    async def _healthz(
        self, request: Request, receive: Receive, answer: Answer, trace: Trace
    ) -> None:
        await _give_json(answer, {"status": "ok"})

    async def _readyz(
        self, request: Request, receive: Receive, answer: Answer, trace: Trace
    ) -> None:
        missing = self._life.what_is_missing()
        if missing:
            await _give_json(answer, {"status": "not ready", "missing": missing}, status=503)
        else:
            await _give_json(answer, {"status": "ready"})

    async def _show_metrics(
        self, request: Request, receive: Receive, answer: Answer, trace: Trace
    ) -> None:
        headers = [(b"content-type", CONTENT_TYPE.encode())]
        await answer.give(200, headers, self._metrics.render())

    def _note(
        self,
        operation: str,
        request: Request,
        answer: Answer,
        trace: Trace,
        error: DomainError | None,
    ) -> None:
        outcome = trace.outcome
        code = error.code if error is not None else ""
        if not code and outcome is not None and outcome.status != "ok":
            code = label_of(outcome.error_code or outcome.status)
        elapsed = request.elapsed_ms()
        seconds = time.perf_counter() - request.started
        self._metrics.note(operation, answer.status, code, seconds)
        if outcome is not None:
            self._metrics.note_overhead(seconds - trace.vendor_seconds)
        if trace.span is not None and operation not in _UNTRACED:
            self._tracer.note_call(operation, request, trace, status=answer.status, error=code)
        if trace.fallbacks:
            self._metrics.note_fallback(trace.route, trace.fallback_reason)
        if operation in _QUIET:
            return
        self._log.note(
            operation=operation,
            status=answer.status,
            milliseconds=elapsed,
            error=code,
            route=trace.route,
            run=trace.run_id,
            entry=trace.entry_id,
        )


_WIRES: Final[dict[str, Wire]] = {
    f"/v1{wire.path}": wire
    for wire in (Chat(), Responses(), Embeddings(), Messages(), CountTokens())
}
_KEPT: Final = re.compile(r"/v1/responses/([A-Za-z0-9_-]{1,200})(/cancel|/input_items)?").fullmatch
_ON_KEPT: Final = {
    ("GET", ""): "response_read",
    ("DELETE", ""): "response_delete",
    ("POST", "/cancel"): "response_cancel",
    ("GET", "/input_items"): "response_input",
}
_REPORTED: Final = re.compile(r"/api/v1/runs/(.+)/entries").fullmatch
_TRACES: Final = "/v1/traces"
_TABLE: Final = {
    _TRACES: ("traces", "POST", "_take_traces"),
    TRIALS: ("trial", "POST", "_carry_out_trial"),
    "/v1/models": ("models", "GET HEAD", "_models"),
    "/v1/delegations": ("delegation", "POST DELETE", "_delegate"),
    "/healthz": ("healthz", "GET HEAD", "_healthz"),
    "/readyz": ("readyz", "GET HEAD", "_readyz"),
    "/metrics": ("metrics", "GET HEAD", "_show_metrics"),
}
_BODY_STILL_COMING: Final = (TooLarge, BodyEncoded, BodyBroken)
_QUIET: Final = frozenset({"healthz", "readyz", "metrics"})
# A gateway that was told to trace to itself would trace its traces.
_UNTRACED: Final = _QUIET | {"traces", "report"}


def _below(path: str) -> tuple[str, str, str] | None:
    """Find an address that has a name in it."""
    if path.startswith(_MODELS) and len(path) > len(_MODELS):
        return "model", "GET HEAD", "_model"
    if _REPORTED(path):
        return "report", "POST", "_take_entries"
    if path.startswith(_INTERNAL) and path.endswith(_TEST):
        return "vendor_test", "POST", "_test_vendor"
    if path.startswith(_INTERNAL) and path.endswith(_LISTING):
        return "vendor_listing", "POST", "_list_vendor"
    return None


def _dialect_of(request: Request) -> Dialect:
    """Guess what the client reads: by the address, and where both have it by a header."""
    if request.path == _TRACES:
        return OTLP_JSON if is_json(request) else OTLP_PROTOBUF
    if request.path.startswith("/api/v1/"):
        return PROBLEMS
    is_anthropic = request.path.startswith("/v1/messages") or (
        request.path not in _WIRES and b"anthropic-version" in request.headers
    )
    return ANTHROPIC if is_anthropic else OPENAI


async def _refuse(error: DomainError, dialect: Dialect, answer: Answer, trace: Trace) -> None:
    if answer.has_begun:
        # Nothing can be said any more; the missing end says that this is not the whole.
        logger.error("gateway.refused_late", code=error.code)
        return
    request_id = trace.entry_id or new_id("req")
    status, headers, body = dialect.render(error, request_id)
    headers += trace.headers()
    headers.append((dialect.request_id, request_id.encode()))
    with contextlib.suppress(ConnectionError):
        if isinstance(error, _BODY_STILL_COMING):
            await answer.give_and_hang_up(status, headers, body)
        else:
            await answer.give(status, headers, body)


async def _give_json(
    answer: Answer, document: object, status: int = 200, more: Sequence[tuple[bytes, bytes]] = ()
) -> None:
    headers = [_JSON, (b"cache-control", b"no-store"), *more]
    await answer.give(status, headers, orjson.dumps(document))


async def _no_such_path(request: Request, receive: Receive, answer: Answer, trace: Trace) -> None:
    raise NoSuchPath(
        f"{request.method} {request.path[:200]} is not served here. The gateway serves POST"
        " /v1/chat/completions, /v1/responses, /v1/embeddings, /v1/messages and"
        " /v1/messages/count_tokens, and GET /v1/models; agents report to POST /v1/traces and"
        " /api/v1/runs/{run}/entries."
    )


async def _method_not_taken(
    request: Request, receive: Receive, answer: Answer, trace: Trace
) -> None:
    raise MethodNotTaken(f"{request.path[:200]} does not take {request.method}.")
