"""Setting task routes: a whole document replaces a whole document, or nothing changes.

Agents keep calling a name while what serves it changes, so a caller may say which
revision they have read; if the route has moved on since, nothing is overwritten.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from django.db import transaction
from django.db.models import Q

from kernel import clock
from kernel.canonical import digest
from kernel.db import refused_as
from kernel.refs import new_id
from ledger.entries import Fact
from ledger.record import record
from ledger.verbs import Verb
from registry.actors import Actor
from registry.models import Role
from routing.actions.route_options import checked_options, is_over
from routing.actions.route_targets import (
    Known,
    TargetDraft,
    check_shadow,
    drafts_of,
    in_order,
    marks_of,
    models_of,
    rows_of,
)
from routing.actions.vendors import DATA_CLASSES
from routing.errors import AlreadyDisabled, NotDisabled, ReasonMissing, RouteInvalid, RouteMoved
from routing.models import Route, RouteTarget
from routing.queries.routes import route_for

MAX_ALIASES: Final = 20
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/-]{0,99}")
_RECEIPTS: Final = ("L0", "L1", "L2", "L3")
_LISTS: Final = ("data_classes", "regions", "vendors")
CONSTRAINTS: Final = (*_LISTS, "max_cost_micros", "receipt_level")


@dataclass(frozen=True, slots=True)
class RouteResult:
    """A route after it was set, and what people should know about it."""

    route: Route
    created: bool
    changed: bool
    notes: list[str]


@transaction.atomic
def put_route(  # noqa: PLR0913  a whole document, named
    name: str,
    targets: Iterable[TargetDraft],
    constraints: Mapping[str, Any] | None = None,
    *,
    actor: Actor,
    title: str = "",
    options: Mapping[str, Any] | None = None,
    aliases: Iterable[str] = (),
    expected_revision: int | None = None,
) -> RouteResult:
    """Make a route say exactly this. Saying the same again changes and records nothing.

    A disabled route is enabled by it: the document that is put is the whole truth.
    Records: route.set, and route.enabled where it was disabled.
    Raises: RoleMissing, RouteInvalid, RouteMoved.
    """
    actor.require(Role.PLATFORM)
    listed, limits = list(targets), _constraints(constraints or {})
    _check_name(name, title)
    called = _aliases(aliases, name)
    chosen = models_of(listed)
    route = Route.objects.select_for_update().filter(name=name).first()
    _check_revision(route, expected_revision)
    wanted = _options(options or {}, listed, route)
    notes = _notes(listed, chosen, limits, wanted)
    if route is not None and _says(route) == (title, called, limits, wanted, in_order(listed)):
        was_stopped = route.disabled_at is not None
        if was_stopped:
            _enable(route, actor)
        return RouteResult(route_for(actor, name), created=False, changed=was_stopped, notes=notes)
    created, marks = route is None, marks_of(route) if route is not None else {}
    route = _store(route, name, title, called, limits, wanted)
    RouteTarget.objects.bulk_create(rows_of(route, listed, chosen, marks))
    if route.disabled_at is not None:
        _enable(route, actor)
    record(Verb.ROUTE_SET, route.ref, actor=actor.ref, facts=_facts(route, listed))
    return RouteResult(route_for(actor, name), created=created, changed=True, notes=notes)


def check_route(  # noqa: PLR0913  a whole document, named
    name: str,
    targets: Iterable[TargetDraft],
    constraints: Mapping[str, Any] | None = None,
    *,
    actor: Actor,
    title: str = "",
    options: Mapping[str, Any] | None = None,
    aliases: Iterable[str] = (),
) -> list[str]:
    """Say what people should know before a route is set like this; nothing changes.

    Raises: RoleMissing, RouteInvalid.
    """
    actor.require(Role.PLATFORM)
    listed, limits = list(targets), _constraints(constraints or {})
    _check_name(name, title)
    _check_apart(name, _aliases(aliases, name))
    chosen = models_of(listed)
    wanted = _options(options or {}, listed, Route.objects.filter(name=name).first())
    return _notes(listed, chosen, limits, wanted)


@transaction.atomic
def disable_route(name: str, *, actor: Actor, reason: str) -> Route:
    """Stop every call to a route; its name stays taken and its history stays.

    Records: route.disabled. Raises: RoleMissing, RouteNotFound, ReasonMissing,
    AlreadyDisabled.
    """
    actor.require(Role.PLATFORM, Role.SECURITY)
    route = route_for(actor, name)
    if not (why := reason.strip()[:500]):
        raise ReasonMissing("Say why the route is disabled; people will ask.")
    now = clock.now()
    running = Route.objects.filter(pk=route.pk, disabled_at__isnull=True)
    if not running.update(disabled_at=now, changed_at=now):
        raise AlreadyDisabled(f"The route {route.name} is disabled already.")
    facts: dict[str, Fact] = {"route": route.name, "reason": why}
    record(Verb.ROUTE_DISABLED, route.ref, actor=actor.ref, facts=facts)
    return route_for(actor, name)


@transaction.atomic
def enable_route(name: str, *, actor: Actor) -> Route:
    """Let calls use a route again.

    Records: route.enabled. Raises: RoleMissing, RouteNotFound, NotDisabled.
    """
    actor.require(Role.PLATFORM)
    route = route_for(actor, name)
    if not _enable(route, actor):
        raise NotDisabled(f"The route {route.name} is not disabled.")
    return route_for(actor, name)


def _enable(route: Route, actor: Actor) -> bool:
    stopped = Route.objects.filter(pk=route.pk, disabled_at__isnull=False)
    if not stopped.update(disabled_at=None, changed_at=clock.now()):
        return False
    record(Verb.ROUTE_ENABLED, route.ref, actor=actor.ref, facts={"route": route.name})
    return True


def _check_name(name: str, title: str) -> None:
    if not _NAME.fullmatch(name) or name.endswith(("/enable", "/disable", "/eval-gate")):
        raise RouteInvalid(
            "A route's name has up to 100 letters, digits and . _ : / -, beginning with a "
            "letter or a digit.",
            field="name",
        )
    if len(title) > 200:
        raise RouteInvalid("A title has at most 200 characters.", field="title")


def _check_revision(route: Route | None, expected: int | None) -> None:
    if expected is None:
        return
    current = route.revision if route else 0
    if expected != current:
        raise RouteMoved(
            f"You have read revision {expected}, the route is at {current}. Read it again.",
            expected=expected,
            revision=current,
        )


def _options(
    said: Mapping[str, Any], targets: list[TargetDraft], route: Route | None
) -> dict[str, Any]:
    named = [(target.vendor, target.model, target.region) for target in targets]
    wanted = checked_options(said, named, stored=_stored(route))
    if (shadow := wanted.get("shadow")) is not None and shadow != _stored(route).get("shadow"):
        check_shadow(shadow)
    return wanted


def _stored(route: Route | None) -> dict[str, Any]:
    return route.options if route is not None else {}


def _constraints(given: Mapping[str, Any]) -> dict[str, Any]:
    """Check what the policy will read: a constraint nobody knows would bind nobody."""
    for key, value in given.items():
        if key not in CONSTRAINTS:
            raise RouteInvalid(
                f"There is no constraint {key!r}; there are: {', '.join(CONSTRAINTS)}.",
                field="constraints",
            )
        if not _is_sound(key, value):
            raise RouteInvalid(f"The constraint {key} cannot be {value!r:.80}.", field=key)
    return {key: given[key] for key in sorted(given)}


def _is_sound(key: str, value: Any) -> bool:
    if key == "receipt_level":
        return value in _RECEIPTS
    if key == "max_cost_micros":
        return value is None or (type(value) is int and 0 <= value <= 10**15)
    if not isinstance(value, list) or not all(isinstance(one, str) and one for one in value):
        return False
    return key != "data_classes" or set(value) <= set(DATA_CLASSES)


def _notes(
    targets: list[TargetDraft],
    models: Known,
    limits: dict[str, Any],
    options: dict[str, Any],
) -> list[str]:
    notes = []
    if (override := options.get("override")) and is_over(override):
        notes.append(f"The override ended at {override['until']} and changes nothing any more.")
    for target in targets:
        model = models[target.vendor, target.model]
        named = f"{target.vendor}/{target.model}"
        if model.disabled_at or model.vendor.disabled_at:
            notes.append(f"{named} is disabled and will not be called.")
        if limits.get("vendors") and target.vendor not in limits["vendors"]:
            notes.append(f"{named} will be refused: its vendor is not among the route's vendors.")
        if limits.get("regions") and target.region not in limits["regions"]:
            notes.append(f"{named} will be refused: its region is not among the route's regions.")
        if model.retires_on is not None:
            notes.append(f"{named} retires on {model.retires_on.isoformat()}.")
    return notes


Said = tuple[str, list[str], dict[str, Any], dict[str, Any], list[TargetDraft]]


def _says(route: Route) -> Said:
    return route.title, route.aliases, route.constraints, route.options, in_order(drafts_of(route))


def _store(
    route: Route | None,
    name: str,
    title: str,
    aliases: list[str],
    limits: dict[str, Any],
    options: dict[str, Any],
) -> Route:
    now = clock.now()
    raced = RouteMoved(f"The route {name} has just been made by somebody else.")
    refusals = {"routing_route_name_key": raced, "routing_route_names_apart": _taken()}
    if route is None:
        route = Route(
            public_id=new_id("rte"), name=name, title=title, constraints=limits,
            options=options, aliases=aliases, created_at=now, changed_at=now,
        )  # fmt: skip
        with refused_as(refusals):
            route.save(force_insert=True)
        return route
    route.title, route.constraints, route.options = title, limits, options
    route.aliases, route.changed_at = aliases, now
    route.revision += 1
    with refused_as(refusals):
        route.save(
            update_fields=["title", "aliases", "constraints", "options", "changed_at", "revision"]
        )
    route.targets.all().delete()
    return route


def _aliases(said: Iterable[str], name: str) -> list[str]:
    """Check a route's further names; that they are nobody else's the database sees to."""
    listed = sorted(set(said) - {name})
    if len(listed) > MAX_ALIASES:
        raise RouteInvalid(f"A route has at most {MAX_ALIASES} further names.", field="aliases")
    for alias in listed:
        if not _NAME.fullmatch(alias):
            raise RouteInvalid(
                f"{alias[:60]!r} cannot be a name: up to 100 letters, digits and . _ : / -",
                field="aliases",
            )
    return listed


def _check_apart(name: str, aliases: list[str]) -> None:
    others = Route.objects.exclude(name=name)
    if others.filter(Q(name__in=aliases) | Q(aliases__overlap=[name, *aliases])).exists():
        raise _taken()


def _taken() -> RouteInvalid:
    detail = "One of these names is a route's, or a further name of one, already."
    return RouteInvalid(detail, field="aliases")


def _facts(route: Route, targets: list[TargetDraft]) -> dict[str, Fact]:
    facts: dict[str, Fact] = {
        "route": route.name,
        "revision": route.revision,
        "targets": [str(target) for target in in_order(targets)],
        "constraints": digest(route.constraints),
        "options": digest(route.options),
    }
    if route.aliases:
        facts["aliases"] = list(route.aliases)
    if override := route.options.get("override"):
        facts["override"] = f"{override['vendor']}/{override['model']} until {override['until']}"
        facts["override_reason"] = override["reason"]
    if shadow := route.options.get("shadow"):
        facts["shadow"] = f"{shadow['percent']}% to {shadow['vendor']}/{shadow['model']}"
    return facts
