"""Settling a cutover: the target takes the source's place in the routes, and the shifts end.

Owns that both are one commit, so that no snapshot sees the one without the other. A route is
replaced only when every agent that calls it has been moved; the shift of an agent ends with
the last of its routes.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from django.db import transaction

from fleet.cutovers.actions.noting import MOVER, hold_cutover, note
from fleet.cutovers.models import Cutover
from fleet.cutovers.queries.cutovers import cutover_for, rows_of
from kernel import clock
from ledger.verbs import Verb
from registry.actors import Actor
from registry.models import Agent, Role
from routing.actions.route_targets import TargetDraft, drafts_of
from routing.actions.routes import put_route
from routing.actions.shifting import end_shifts
from routing.gateway.shifting import region_for
from routing.models import Model, Route, Shift
from routing.queries.shifts import routes_on


@dataclass(frozen=True, slots=True)
class Settled:
    """What was settled, and which routes wait for whom."""

    cutover: Cutover
    routes: list[str]
    waiting: dict[str, list[str]]


@transaction.atomic
def settle_cutover(public_id: str, *, actor: Actor) -> Settled:
    """Put the target into every route whose agents were all moved.

    Records: route.set, shift.ended, cutover.settled. Raises: RoleMissing, CutoverNotFound,
    CutoverMoved, RouteInvalid.
    """
    actor.require(Role.PLATFORM)
    cutover_for(actor, public_id)
    cutover = hold_cutover(public_id, Cutover.State.DONE)
    shifts = {
        shift.agent_id: shift
        for shift in Shift.objects.filter(
            source=cutover.source, target=cutover.target, percent=100, ended_at=None
        ).select_related("source", "target")
    }
    agents = list(Agent.objects.filter(public_id__in=shifts))
    settled: list[str] = []
    waiting: dict[str, list[str]] = {}
    for route in routes_on([cutover.source], agents):
        if others := _not_moved(route, shifts):
            waiting[route.name] = others
        else:
            _replace(route, cutover.source, cutover.target, actor)
            settled.append(route.name)
    left = {name for each in waiting for name in [each]}
    over = [shifts[agent.public_id] for agent in agents if not left & set(agent.routes)]
    if over:
        end_shifts(over, reason="Settled into the routes.", actor=MOVER, subject=cutover.ref)
    mine = set(rows_of(cutover).filter(shift__gt="").values_list("shift", flat=True))
    if not Shift.objects.filter(public_id__in=mine, ended_at=None).exists():
        cutover.state, cutover.ended_at = Cutover.State.SETTLED, clock.now()
        cutover.ended_reason = "Settled into the routes."
        cutover.save(update_fields=["state", "ended_at", "ended_reason"])
    text = f"Routes: {', '.join(settled) or 'none'}. Waiting: {', '.join(waiting) or 'none'}."
    note(Verb.CUTOVER_SETTLED, cutover, text, actor=actor, facts={"routes": settled[:50]})
    return Settled(cutover, settled, waiting)


def _not_moved(route: Route, shifts: dict[str, Shift]) -> list[str]:
    calling = Agent.objects.filter(routes__contains=[route.name], stage__in=Agent.CALLABLE)
    left = calling.exclude(public_id__in=list(shifts)).order_by("name")
    return list(left.values_list("name", flat=True)[:20])


def _replace(route: Route, source: Model, target: Model, actor: Actor) -> None:
    allowed = route.constraints.get("regions", [])
    drafts: dict[tuple[str, str, str], TargetDraft] = {}
    for draft in drafts_of(route):
        now = draft
        if (draft.vendor, draft.model) == (source.vendor.name, source.name):
            region = region_for(draft.region, target.vendor.regions, allowed)
            now = replace(draft, vendor=target.vendor.name, model=target.name, region=region)
        drafts.setdefault((now.vendor, now.model, now.region), now)
    put_route(
        route.name,
        drafts.values(),
        route.constraints,
        actor=actor,
        title=route.title,
        options=_options(route.options, source),
        aliases=route.aliases,
        expected_revision=route.revision,
    )


def _options(options: dict[str, Any], source: Model) -> dict[str, Any]:
    """Leave out what names the source: a target that is none any more puts nothing first."""
    kept = dict(options)
    override = kept.get("override")
    if override and (override["vendor"], override["model"]) == (source.vendor.name, source.name):
        del kept["override"]
    return kept
