"""Leases: what is lent to which agent, until when, and taking it back."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from credentials.models import Lease
from effects.actions.leases import revoke_lease, revoke_leases_of
from effects.queries.leases import (
    figures,
    lease_for,
    leases_for,
    may_revoke,
    narrowed,
    shown,
)
from kernel.errors import NotFound
from kernel.pages import asked, chosen, cut
from registry.actors import Actor
from registry.portal import signed_in, told
from registry.queries import agent_for

_STATES = {
    "open": "Open", "active": "Active", "revoking": "Revoking", "irrevocable": "Irrevocable",
    "returned": "Returned", "revoked": "Revoked", "expired": "Expired",
}  # fmt: skip


@signed_in
@require_GET
def leases(request: HttpRequest, actor: Actor) -> HttpResponse:
    """List the leases that fit, the newest first."""
    state, kind = chosen(request, "state", _STATES), chosen(request, "kind", Lease.Kind.values)
    agent = asked(request, "agent")
    rows = narrowed(leases_for(actor), agent=agent, state=state, kind=kind)
    if words := asked(request, "search"):
        rows = rows.filter(handle__icontains=words) | rows.filter(proposal_id=words)
    page = cut(request, rows, ordering="-issued_at")
    context = {
        "page": page,
        "rows": shown(page, actor),
        "figures": figures(leases_for(actor)),
        "selects": [
            _select("state", "Any state", state, list(_STATES.items())),
            _select("kind", "Any kind", kind, Lease.Kind.choices),
        ],
        "agent": _revocable(actor, agent),
        "is_narrowed": bool(agent or state or kind or words),
    }
    return render(request, "effects/leases.html", context)


@signed_in
@require_GET
def lease(request: HttpRequest, actor: Actor, lease: str) -> HttpResponse:
    """Show one lease."""
    one = shown([lease_for(actor, lease)], actor)[0]
    return render(request, "effects/lease.html", {"shown": one, "lease": one.lease})


@signed_in
@require_POST
def revoke(request: HttpRequest, actor: Actor, lease: str) -> HttpResponse:
    """Have one lease ended."""
    with told(request):
        revoke_lease(lease, actor=actor, reason=asked_reason(request))
        messages.success(request, "It is being revoked. This page says when it is dead.")
    return redirect("effects:lease", lease)


@signed_in
@require_POST
def revoke_all(request: HttpRequest, actor: Actor, agent: str) -> HttpResponse:
    """Have every lease of an agent ended."""
    with told(request):
        found, count = revoke_leases_of(agent, actor=actor, reason=asked_reason(request))
        said = f"{count} {'lease' if count == 1 else 'leases'} of {found.name}"
        messages.success(request, f"{said}: being revoked.")
    return redirect(f"{reverse('effects:leases')}?agent={agent}")


def asked_reason(request: HttpRequest) -> str:
    """Return the reason that was typed, as far as it is kept."""
    return request.POST.get("reason", "").replace("\0", "").strip()[:1000]


def _select(name: str, words: str, value: str, options: Any) -> dict[str, Any]:
    return {"name": name, "label": words, "any": words, "value": value, "options": options}


def _revocable(actor: Actor, name: str) -> str:
    if not name:
        return ""
    with suppress(NotFound):  # a name in an address is a wish
        agent = agent_for(actor, name)
        return agent.name if may_revoke(actor, agent.public_id) else ""
    return ""
