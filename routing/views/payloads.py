"""What was said in one step. Shown to nobody before the reading itself is on record.

Nothing of it is kept by a browser or a proxy, and nothing of it reaches a log.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_http_methods, require_POST

from ledger.errors import EvidenceAltered, PayloadAbsent, PayloadsClosed, PayloadShredded
from ledger.payloads import read_payload
from ledger.queries import SeenEntry
from registry.actors import Actor
from registry.portal import sentence, signed_in
from routing.forms.reasons import ReasonForm
from routing.models import Run
from routing.queries.calls import run_for
from routing.queries.record import Exchange, exchange_of
from routing.said import read_said
from routing.views.found_words import found_words

_REFUSALS: Final = (EvidenceAltered, PayloadAbsent, PayloadShredded, PayloadsClosed)
_KEPT_NOWHERE: Final = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
}


@signed_in
@require_http_methods(["GET", "HEAD", "POST"])
def payloads(request: HttpRequest, actor: Actor, run: str, call: str) -> HttpResponse:
    """Ask why, record the reading, then show both sides of a step."""
    found = run_for(actor, run)
    exchange = exchange_of(found, call)
    form = ReasonForm(request.POST if request.method == "POST" else None)
    sides: list[dict[str, Any]] = []
    reason = ""
    if request.method == "POST" and form.is_valid():
        reason = form.cleaned_data["reason"]
        sides = [
            _side(name, title, entry, actor, reason) for name, title, entry in _entries(exchange)
        ]
    context = {
        "run": found,
        "exchange": exchange,
        "place": _place(exchange.intent.facts),
        "form": form,
        "sides": sides,
        "reason": reason,
        "was_read": any(side["said"] for side in sides),
        "awaits": exchange.intent.kind == "intent" and exchange.result is None,
    }
    status = 422 if form.errors else 200
    response = render(request, "routing/payloads.html", context, status=status)
    return _kept_nowhere(response)


@signed_in
@require_POST
def raw(request: HttpRequest, actor: Actor, run: str, call: str, side: str) -> HttpResponse:
    """Record the reading, then give the bytes of one side as they are kept."""
    found: Run = run_for(actor, run)
    exchange = exchange_of(found, call)
    named = {name: entry for name, _, entry in _entries(exchange)}
    form = ReasonForm(request.POST)
    if side not in named:
        raise Http404
    if not form.is_valid():
        return payloads(request, run=run, call=call)  # type: ignore[return-value]
    entry = named[side]
    body = read_payload(entry.entry_id, actor=actor.ref, reason=form.cleaned_data["reason"])
    response = HttpResponse(body, content_type="application/octet-stream")
    response["Content-Disposition"] = f'attachment; filename="{entry.entry_id}.bin"'
    return _kept_nowhere(response)


def _entries(exchange: Exchange) -> Iterator[tuple[str, str, SeenEntry]]:
    is_call = exchange.intent.kind == "intent"
    yield "request", "Request" if is_call else "What is on record", exchange.intent
    if exchange.result is not None:
        yield "response", "Response", exchange.result


def _side(name: str, title: str, entry: SeenEntry, actor: Actor, reason: str) -> dict[str, Any]:
    side: dict[str, Any] = {
        "name": name, "title": title, "entry": entry, "said": None, "refused": "",
        "notes": list(_notes(entry.facts, name)),
    }  # fmt: skip
    try:
        body = read_payload(entry.entry_id, actor=actor.ref, reason=reason)
    except _REFUSALS as error:
        return side | {"refused": sentence(error)}
    return side | {"said": read_said(body)}


def _notes(facts: Mapping[str, Any], name: str) -> Iterator[str]:
    """Say what of it is not here, or was not given: in words, never what it was."""
    if facts.get("payload_cut") is True:
        yield "Only the beginning is kept: it was longer than what the record takes."
    if facts.get("withheld") is True:
        yield "It was not given to the agent as it is here."
    mine = {"found_in_response"} if name == "response" else {"found_in_request", "found_in_report"}
    said = {key: value for key, value in facts.items() if key in mine or key == "secrets_removed"}
    for words in found_words(said):
        yield f"{words[:1].upper()}{words[1:]}."


def _place(facts: Mapping[str, Any]) -> str:
    target = "/".join(str(facts[name]) for name in ("vendor", "model") if facts.get(name))
    first = facts.get("route") or facts.get("name") or ""
    return " → ".join(str(part) for part in (first, target) if part)


def _kept_nowhere(response: HttpResponse) -> HttpResponse:
    for name, value in _KEPT_NOWHERE.items():
        response[name] = value
    return response
