"""An agent's keys: what is known of them, issuing, rotating, revoking.

A key's text is in the answer that made it and nowhere else, so that answer is a page and
not a redirect.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_GET, require_POST

from fleet.forms.keys import KeyForm, RotationForm
from fleet.snippets import snippets
from fleet.views.frame import agent_page
from kernel import clock
from kernel.errors import Conflict, Invalid, Unavailable
from registry.actions.keys import IssuedKey, issue_key, revoke_key, rotate_key
from registry.actors import Actor
from registry.models import Agent, AgentKey
from registry.portal import sentence, signed_in, told
from registry.queries import agent_inside_for, keys_of
from registry.queries.directory import names_of

ENDS_SOON: Final = timedelta(days=14)
_REFUSALS: Final = (Conflict, Invalid, Unavailable)


@signed_in
@require_GET
def keys(request: HttpRequest, actor: Actor, name: str) -> HttpResponse:
    """List the keys of an agent."""
    return _shown(request, actor, agent_inside_for(actor, name))


@signed_in
@require_POST
def issue(request: HttpRequest, actor: Actor, name: str) -> HttpResponse:
    """Issue a key and show it, once."""
    agent = agent_inside_for(actor, name)
    form = KeyForm(request.POST)
    if form.is_valid():
        try:
            issued = issue_key(agent.name, actor=actor, **form.cleaned_data)
        except _REFUSALS as error:
            form.add_error(None, sentence(error))
        else:
            return _shown(request, actor, agent, **_once(agent, issued))
    return _shown(request, actor, agent, status=422, form=form)


@signed_in
@require_POST
def rotate(request: HttpRequest, actor: Actor, name: str, key: str) -> HttpResponse:
    """Make a successor of a key and show it, once."""
    agent = agent_inside_for(actor, name)
    form = RotationForm(request.POST)
    if not form.is_valid():
        messages.error(request, "Choose how long the old key goes on working.")
        return redirect("registry:agent-keys", agent.name)
    with told(request):
        issued = rotate_key(agent.name, key, actor=actor, **form.cleaned_data)
        return _shown(request, actor, agent, **_once(agent, issued))
    return redirect("registry:agent-keys", agent.name)


@signed_in
@require_POST
def revoke(request: HttpRequest, actor: Actor, name: str, key: str) -> HttpResponse:
    """Make a key worthless at once."""
    agent = agent_inside_for(actor, name)
    reason = request.POST.get("reason", "").strip()
    if request.POST.get("typed", "").strip() != agent.name or not reason:
        why = f"give a reason and type {agent.name} to confirm"
        messages.error(request, f"Nothing was revoked: {why}.")
        return redirect("registry:agent-keys", agent.name)
    with told(request):
        row = revoke_key(agent.name, key, actor=actor, reason=reason)
        messages.success(request, f"{row} is revoked. Every process refuses it within a second.")
    return redirect("registry:agent-keys", agent.name)


def _once(agent: Agent, issued: IssuedKey) -> dict[str, Any]:
    route = (agent.routes or ["sandbox"])[0]
    return {
        "issued": issued,
        "snippets": snippets(settings.GATEWAY_URL, route, issued.text),
    }


def _shown(
    request: HttpRequest, actor: Actor, agent: Agent, *, status: int = 200, **given: Any
) -> HttpResponse:
    now = clock.now()
    rows = list(keys_of(agent)[:200])
    names = names_of({row.created_by for row in rows} | {row.revoked_by for row in rows})
    context = {
        "rows": [
            {
                "key": row,
                "state": _state(row, now),
                "made_by": names.get(row.created_by, row.created_by),
                "revoked_by": names.get(row.revoked_by, row.revoked_by),
                "may_rotate": row.rotated_to_id is None and _works(row, now),
                "works": _works(row, now),
            }
            for row in rows
        ],
        "form": KeyForm(),
        "rotation": RotationForm(),
        "issued": None,
    } | given
    response = agent_page(request, actor, agent, "keys", context, status=status)
    response["Cache-Control"] = "no-store"
    return response


def _works(row: AgentKey, now: Any) -> bool:
    return row.revoked_at is None and row.expires_at > now


def _state(row: AgentKey, now: Any) -> tuple[str, str]:
    """Return a state and the word for it where the usual one says too little."""
    if row.revoked_at is not None:
        return "revoked", ""
    if row.expires_at <= now:
        return "expired", "Replaced" if row.rotated_to_id else ""
    if row.rotated_to_id is not None:
        return "expiring", "Being replaced"
    return ("expiring", "") if row.expires_at - now < ENDS_SOON else ("active", "")
