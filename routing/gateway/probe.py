"""Trying a vendor on behalf of the service itself: its model list, and one small call.

A call to a vendor is a call to a vendor: it is intended and concluded on the record like
any other, under the name of the automation that made it, and only processes of this
installation may ask for it.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlencode

import orjson

from kernel import clock
from kernel.canonical import strict_loads
from kernel.errors import DomainError
from kernel.refs import Ref, new_id, system
from ledger.datakeys import ORG_SCOPE
from routing.gateway.errors import NoSuchVendor, NotInternal, VendorSlow
from routing.gateway.exchange import ANSWER_LIMIT
from routing.gateway.forward import secret_in, to_vendor, without
from routing.gateway.lend import Lender
from routing.gateway.metering import Usage, reported_error, reported_model
from routing.gateway.open_calls import OpenCalls
from routing.gateway.ports import Outgoing, Snapshots, Upstream
from routing.gateway.recording.attempt import Attempt, Outcome, Subject
from routing.gateway.recording.recorder import Recorder
from routing.gateway.requests import Receive, Request, read_body
from routing.gateway.snapshot import Model, Snapshot, Target, Vendor
from routing.gateway.wires.chat import Chat
from routing.gateway.wires.messages import Messages
from routing.gateway.wires.wire import Wire, read_json
from routing.internal import HEADER, InternalKeys

PROBE_SECONDS: Final = 20.0
_MODELS_SHOWN: Final = 500
_ACTOR: Final = system("vendor-test")
_LISTING: Final = system("model-listing")
_ASKED: Final = frozenset({"limit", "after_id", "after"})
_WIRES: Final[dict[str, Wire]] = {wire.dialect.name: wire for wire in (Chat(), Messages())}
# Some servers list their models without an object around the list.
_FORMS: Final = {True: (dict, list), False: (dict,)}
_SMALL_CALL: Final = {
    "messages": [{"role": "user", "content": "Reply with the word OK."}],
    "max_tokens": 16,
}


@dataclass(frozen=True, slots=True)
class _Try:
    """One request of a test."""

    operation: str
    method: str
    path: str
    target: Target
    body: bytes = b""
    actor: Ref = _ACTOR
    rule: str = "system.vendor_test"


@dataclass(frozen=True, slots=True)
class VendorProbe:
    """Tests vendors: the model list always, a small call when a model is named."""

    snapshots: Snapshots
    internal_keys: InternalKeys
    lender: Lender
    recorder: Recorder
    upstream: Upstream
    open_calls: OpenCalls

    async def test(self, vendor_id: str, request: Request, receive: Receive) -> dict[str, Any]:
        """Return ``{ok, models, list}``, and ``call`` when the body names a ``model``.

        ``list`` and ``call`` are ``{ok, http_status, milliseconds, error, entry}``.
        Raises: NotInternal, NoSuchVendor, VendorNotReady, JournalDown leaves.
        """
        snapshot, vendor, asked = await self._admitted(vendor_id, request, receive)
        listing = _Try("list_models", "GET", "/models", _target(snapshot, vendor, ""))
        listed, answer = await self._try(listing)
        document = read_json(answer)
        found: dict[str, Any] = {"ok": listed["ok"], "models": _names(document), "list": listed}
        model = asked.get("model") if isinstance(asked, dict) else None
        if isinstance(model, str) and model:
            body = orjson.dumps({"model": model, **_SMALL_CALL})
            target = _target(snapshot, vendor, model)
            wire = _WIRES[vendor.dialect]
            called, _ = await self._try(_Try(wire.operation, "POST", wire.path, target, body))
            # Not every server lists its models; one that answers a call works.
            found |= {"ok": called["ok"], "call": called}
        return found

    async def listing(self, vendor_id: str, request: Request, receive: Receive) -> dict[str, Any]:
        """Return one page of a vendor's models as it came: ``{ok, http_status, …, body}``.

        Whoever asks reads it; here it is only fetched, with the vendor's own secret.
        Raises: as test.
        """
        snapshot, vendor, asked = await self._admitted(vendor_id, request, receive)
        said = asked.get("query") if isinstance(asked, dict) else None
        query = {key: said[key] for key in _ASKED & said.keys()} if isinstance(said, dict) else {}
        path = f"/models?{urlencode(query)}" if query else "/models"
        target = _target(snapshot, vendor, "")
        tried = _Try(
            "list_models", "GET", path, target, actor=_LISTING, rule="system.model_listing"
        )
        report, answer = await self._try(tried)
        return report | {"body": answer.decode("utf-8", "replace") if report["ok"] else ""}

    async def _admitted(
        self, vendor_id: str, request: Request, receive: Receive
    ) -> tuple[Snapshot, Vendor, Any]:
        body = await read_body(request, receive)
        token = request.header(HEADER) or ""
        if not self.internal_keys.accepts(token, request.method, request.path, body):
            raise NotInternal
        asked = strict_loads(body) if body else {}
        snapshot = await self.snapshots.fresh()
        vendor = snapshot.vendors.get(vendor_id)
        if vendor is None or not vendor.is_enabled:
            raise NoSuchVendor
        if refusal := snapshot.stops.of_aim(vendor.public_id, ""):
            raise refusal
        return snapshot, vendor, asked

    async def _try(self, tried: _Try) -> tuple[dict[str, Any], bytes]:
        vendor = tried.target.vendor
        subject = Subject(
            actor=tried.actor,
            stream=str(Ref("vendor", vendor.public_id)),
            scope=ORG_SCOPE,
            data_class="internal",
        )
        attempt = Attempt(
            subject=subject,
            entry_id=new_id("ent"),
            route="",
            requested_model=tried.target.model.name,
            target=tried.target,
            streamed=False,
            decided={"rule": tried.rule},
            started_at=clock.now(),
            operation=tried.operation,
        )
        wire = _WIRES[vendor.dialect]
        outgoing = Outgoing(
            method=tried.method,
            address=vendor.new_address(tried.path),
            headers=to_vendor(None, wire.dialect, vendor.auth_scheme, self.lender.lend(vendor)),
            body=tried.body,
        )
        await self.recorder.intend(attempt, tried.body)
        return await self._carry_out(attempt, outgoing)

    async def _carry_out(
        self, attempt: Attempt, outgoing: Outgoing
    ) -> tuple[dict[str, Any], bytes]:
        started = time.perf_counter()
        status, answer, error = await self._send(attempt.target, outgoing)
        document = read_json(answer)
        if not error and not 200 <= status < 300:
            error = f"The vendor answered {status} ({reported_error(document) or 'no reason'})."
        elif not error and not isinstance(document, _FORMS[attempt.operation == "list_models"]):
            error = "The vendor answered with something that is not a JSON object."
        elapsed = int((time.perf_counter() - started) * 1000)
        outcome = Outcome(
            status="error" if error else "ok",
            http_status=status,
            usage=_WIRES[attempt.target.vendor.dialect].usage_of(document) or Usage(),
            payload=answer,
            duration_ms=elapsed,
            reported_model=reported_model(document),
            error_code="probe_failed" if error else "",
        )
        await self.recorder.conclude(attempt, outcome)
        report = {
            "ok": not error,
            "http_status": status,
            "milliseconds": elapsed,
            "error": error,
            "entry": attempt.entry_id,
        }
        return report, answer

    async def _send(self, target: Target, outgoing: Outgoing) -> tuple[int, bytes, str]:
        vendor, model = target.vendor, target.model.public_id
        open_call = self.open_calls.add(None, vendor, model=model)
        status = 0
        try:
            with open_call:
                open_call.expect(PROBE_SECONDS, VendorSlow())
                reply = await self.upstream.send(outgoing)
                try:
                    status = reply.status
                    answer = await reply.read(ANSWER_LIMIT)
                    return status, without(secret_in(outgoing.headers), answer), ""
                finally:
                    reply.close()
        except DomainError as fault:
            return status, b"", fault.detail
        finally:
            self.open_calls.remove(open_call)


def _names(document: Any) -> list[str]:
    listed = document.get("data") if isinstance(document, dict) else document
    if not isinstance(listed, list):
        return []
    names = [item.get("id") for item in listed if isinstance(item, dict)]
    return [name[:200] for name in names if isinstance(name, str)][:_MODELS_SHOWN]


def _target(snapshot: Snapshot, vendor: Vendor, name: str) -> Target:
    model = snapshot.models.get((vendor.public_id, name)) or Model(
        # Not one of ours (yet): what is recorded is the vendor, and no price is known.
        public_id=vendor.public_id,
        name=name,
        currency="USD",
        input_price=None,
        output_price=None,
        cached_input_price=None,
        deprecated_on=None,
        retires_on=None,
        replacement="",
        is_enabled=True,
        created_at=0.0,
    )
    return Target(vendor=vendor, model=model, region="", weight=1, priority=0)
