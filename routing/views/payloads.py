"""What was said in one call. Shown to nobody before the reading itself is on record."""

from __future__ import annotations

from typing import Any, Final

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_http_methods

from ledger.errors import EvidenceAltered, PayloadAbsent, PayloadsClosed, PayloadShredded
from ledger.payloads import read_payload
from ledger.queries import SeenEntry
from registry.actors import Actor
from registry.portal import sentence, signed_in
from routing.forms.reasons import ReasonForm
from routing.queries.calls import run_for
from routing.queries.record import exchange_of
from routing.said import read_said

_REFUSALS: Final = (EvidenceAltered, PayloadAbsent, PayloadShredded, PayloadsClosed)


@signed_in
@require_http_methods(["GET", "HEAD", "POST"])
def payloads(request: HttpRequest, actor: Actor, run: str, call: str) -> HttpResponse:
    """Ask why, record the reading, then show both sides of a call."""
    found = run_for(actor, run)
    exchange = exchange_of(found, call)
    form = ReasonForm(request.POST if request.method == "POST" else None)
    sides: list[dict[str, Any]] = []
    if request.method == "POST" and form.is_valid():
        reason = form.cleaned_data["reason"]
        sides = [_side("Request", exchange.intent, actor, reason)]
        if exchange.result is not None:
            sides.append(_side("Response", exchange.result, actor, reason))
    context = {
        "run": found,
        "exchange": exchange,
        "form": form,
        "sides": sides,
        "was_read": any(side["said"] for side in sides),
    }
    status = 422 if form.errors else 200
    response = render(request, "routing/payloads.html", context, status=status)
    response["Cache-Control"] = "no-store"
    return response


def _side(title: str, entry: SeenEntry, actor: Actor, reason: str) -> dict[str, Any]:
    side: dict[str, Any] = {"title": title, "entry": entry, "said": None, "refused": ""}
    try:
        raw = read_payload(entry.entry_id, actor=actor.ref, reason=reason)
    except _REFUSALS as error:
        return side | {"refused": sentence(error)}
    return side | {"said": read_said(raw)}
