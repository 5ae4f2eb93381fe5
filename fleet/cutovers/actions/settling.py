"""Settling a cutover: the target takes the source's place in the routes, and the shifts end.

Owns that both are one commit, so that no snapshot sees the one without the other. A route is
replaced only when every agent that calls it has been moved; the shift of an agent ends with
the last of its routes. What another cutover moved keeps its shift: it is marked, so that its way
back is known.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Final

from django.db import transaction
from django.db.models import Q

from fleet.cutovers.actions.noting import MOVER, hold_cutover, note
from fleet.cutovers.models import Cutover, CutoverAgent
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

_DONE: Final = CutoverAgent.State.DONE


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
    for same in _same_way(cutover_for(actor, public_id)):  # in one order for all who settle
        hold_cutover(same)
    cutover = hold_cutover(public_id, Cutover.State.DONE)
    moved = _moved(cutover)
    agents = list(Agent.objects.filter(public_id__in=moved))
    settled: list[str] = []
    waiting: dict[str, list[str]] = {}
    for route in routes_on([cutover.source], agents):
        if others := _not_moved(route, moved):
            waiting[route.name] = others
        else:
            _replace(route, cutover.source, cutover.target, actor)
            settled.append(route.name)
    mine = {row.agent.public_id: row for row in rows_of(cutover).filter(state=_DONE)}
    over = [agent.public_id for agent in agents if not waiting.keys() & set(agent.routes)]
    _mark(cutover, settled, [mine[name].pk for name in over if name in mine])
    ended = [moved[name] for name in over if name in mine]
    if ended:
        end_shifts(ended, reason="Settled into the routes.", actor=MOVER, subject=cutover.ref)
    shifts = [row.shift for row in mine.values()]
    if not Shift.objects.filter(public_id__in=shifts, ended_at=None).exists():
        cutover.state, cutover.ended_at = Cutover.State.SETTLED, clock.now()
        cutover.ended_reason = "Settled into the routes."
        cutover.save(update_fields=["state", "ended_at", "ended_reason"])
    text = f"Routes: {', '.join(settled) or 'none'}. Waiting: {', '.join(waiting) or 'none'}."
    note(Verb.CUTOVER_SETTLED, cutover, text, actor=actor, facts={"routes": settled[:50]})
    return Settled(cutover, settled, waiting)


def _same_way(cutover: Cutover) -> list[str]:
    """Return the cutovers that are done from the same model to the same, in one order."""
    found = Cutover.objects.filter(
        source=cutover.source, target=cutover.target, state=Cutover.State.DONE
    )
    return list(found.order_by("pk").values_list("public_id", flat=True))


def _moved(cutover: Cutover) -> dict[str, Shift]:
    """Return the shifts of the agents that have moved the same way, by the agents' ids.

    An agent of a cutover that is not done has not; one that was moved without any has.
    """
    rows = CutoverAgent.objects.filter(shift__gt="", cutover__source=cutover.source)
    done = rows.filter(state=_DONE, cutover__state=Cutover.State.DONE).values("shift")
    in_force = Shift.objects.filter(
        source=cutover.source, target=cutover.target, percent=100, ended_at=None
    )
    ours = Q(public_id__in=done) | ~Q(public_id__in=rows.values("shift"))
    return {
        each.agent_id: each
        for each in in_force.filter(ours).select_related("source__vendor", "target__vendor")
    }


def _mark(cutover: Cutover, routes: list[str], own: list[int]) -> None:
    """Mark whose way back is a shift the other way now, whichever cutover moved them."""
    there = Q(agent__routes__overlap=routes, cutover__public_id__in=_same_way(cutover))
    CutoverAgent.objects.filter(there | Q(pk__in=own), state=_DONE).update(is_settled=True)


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
