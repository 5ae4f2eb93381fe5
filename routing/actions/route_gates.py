"""Saying that a target is good enough to be chosen by price or speed.

Until evaluations say so, somebody of the platform does, with a reason.
"""

from __future__ import annotations

from django.db import transaction

from kernel import clock
from ledger.entries import Fact
from ledger.record import record
from ledger.verbs import Verb
from registry.actors import Actor
from registry.models import Role
from routing.errors import ReasonMissing, RouteInvalid
from routing.models import Route, RouteTarget
from routing.queries.routes import route_for


@transaction.atomic
def pass_target(
    name: str, vendor: str, model: str, region: str = "", *, actor: Actor, reason: str
) -> Route:
    """Let a target be chosen by price or speed. Saying it again replaces the reason.

    Records: route.target_passed. Raises: RoleMissing, RouteNotFound, RouteInvalid, ReasonMissing.
    """
    actor.require(Role.PLATFORM)
    route = route_for(actor, name)
    if not (why := reason.strip()[:500]):
        raise ReasonMissing("Say why it is good enough: what was tried, and how it went.")
    _mark(route, (vendor, model, region), passed_eval_at=clock.now(), passed_eval_reason=why)
    facts: dict[str, Fact] = _facts(route, vendor, model, region) | {"reason": why}
    record(Verb.ROUTE_TARGET_PASSED, route.ref, actor=actor.ref, facts=facts)
    return route_for(actor, name)


@transaction.atomic
def fail_target(
    name: str, vendor: str, model: str, region: str = "", *, actor: Actor, reason: str
) -> Route:
    """Keep a target from being chosen by price or speed; it serves as the list has it.

    Records: route.target_failed. Raises: RoleMissing, RouteNotFound, RouteInvalid, ReasonMissing.
    """
    actor.require(Role.PLATFORM, Role.SECURITY)
    route = route_for(actor, name)
    if not (why := reason.strip()[:500]):
        raise ReasonMissing("Say why it is not good enough any more; people will ask.")
    _mark(route, (vendor, model, region), passed_eval_at=None, passed_eval_reason="")
    facts: dict[str, Fact] = _facts(route, vendor, model, region) | {"reason": why}
    record(Verb.ROUTE_TARGET_FAILED, route.ref, actor=actor.ref, facts=facts)
    return route_for(actor, name)


def _mark(route: Route, named: tuple[str, str, str], **values: object) -> None:
    vendor, model, region = named
    rows = RouteTarget.objects.filter(
        route=route, model__vendor__name=vendor, model__name=model, region=region
    )
    if not rows.update(**values):
        raise RouteInvalid(f"{vendor}/{model} is no target of {route.name}.", field="model")


def _facts(route: Route, vendor: str, model: str, region: str) -> dict[str, Fact]:
    return {"route": route.name, "vendor": vendor, "model": model, "region": region}
