"""From the name an agent calls to the models that may serve it, in the order to be tried."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from itertools import groupby
from typing import Final

from routing.gateway.choice import Rule
from routing.gateway.errors import ModelNotFound, RouteNotDeclared, RouteNotDelegated, RouteUnserved
from routing.gateway.lifecycle import has_ended, refuse_retired
from routing.gateway.options import Override
from routing.gateway.snapshot import Agent, Route, Snapshot, Target

_WHOLE: Final = 2**64


@dataclass(frozen=True, slots=True)
class Order:
    """Targets in the order to be tried, and why the first is first where that is special."""

    targets: list[Target]
    choice: str = ""


def resolve(name: str, agent: Agent, snapshot: Snapshot) -> Route:
    """Return the route. Raises: ModelNotFound, ModelRetired, RouteNotDeclared, RouteUnserved."""
    route = snapshot.routes.get(name)
    if route is None or not route.is_enabled:
        raise ModelNotFound(
            f"The model {name!r} does not exist here. An agent calls task routes by name;"
            " GET /v1/models lists those that this agent may call.",
            param="model",
        )
    if route.name not in agent.routes:
        if agent.lent_tools is not None:
            raise RouteNotDelegated(
                f"Agent {agent.name} acts for another here, and {name!r} is not among the routes"
                " that both may call and that were delegated.",
                param="model",
            )
        raise RouteNotDeclared(
            f"Agent {agent.name} does not declare the route {route.name!r}. Add it to spec.models"
            " of its manifest (agent.yaml) and submit that as a new version.",
            param="model",
        )
    if agent.public_id not in snapshot.shifts:
        check_served(route, route.targets, name)
    return route


def check_served(route: Route, targets: Iterable[Target], name: str) -> None:
    """Refuse a route that nothing serves. Raises: ModelRetired, RouteUnserved."""
    if not any(target.is_enabled for target in targets):
        refuse_retired(route)
        raise RouteUnserved(f"No target of the route {name!r} is enabled right now.")


def order(
    route: Route,
    run_id: str,
    now: float,
    rule: Rule | None = None,
    targets: Sequence[Target] | None = None,
) -> Order:
    """Return the targets for a call of a run: an override first, then a canary, then the rest.

    The rest is in order of priority, and among equals as the rule says, else by weight.

    A canary serves its share of runs and nobody else's, not even when others fail. A run is
    on one side of it for as long as the route says the same. ``targets`` stand in the place of
    the route's, where an agent is being moved; what stands behind one follows it at once.
    """
    listed = route.targets if targets is None else targets
    enabled = [target for target in listed if target.is_enabled]
    if len(enabled) == 1 and enabled[0].canary_percent is None:
        return Order(_with_behind(enabled, now))
    canaries = [target for target in enabled if target.canary_percent is not None]
    canary = _canary(canaries, route, run_id) if canaries else None
    if canary is not None and has_ended(canary.model, now):
        canary = None
    usual = [target for target in enabled if target.canary_percent is None]
    if any(target.model.retires_on is not None for target in usual):
        usual, ended = _without_ended(usual, now)
    else:
        ended = []
    groups = _by_weight(usual, run_id if route.options.sticky else "")
    if rule is None:
        ordered, choice = [target for group in groups for target in group], ""
    else:
        ordered, choice = rule.rank(groups)
    ordered += ended
    if canary is not None:
        ordered, choice = [canary, *ordered], "canary"
    ordered = _with_behind(ordered, now)
    if (pinned := _pinned([*enabled, *ordered], route.options.override, now)) is not None:
        rest = [target for target in ordered if target is not pinned]
        ordered, choice = [pinned, *rest], "override"
    return Order(ordered, choice)


def _with_behind(targets: list[Target], now: float) -> list[Target]:
    """Put behind each target what follows it: none twice, and last what is past its end."""
    if not any(target.behind for target in targets):
        return targets
    whole = [each for target in targets for each in (target, *target.behind) if each.is_enabled]
    once = list({target.breaker: target for target in reversed(whole)}.values())[::-1]
    last = [target for target in once if target.arm is not None and has_ended(target.model, now)]
    return [target for target in once if target not in last] + last


def in_order(route: Route) -> list[Target]:
    """Return the enabled targets, by priority, and among equals at random by weight."""
    enabled = [target for target in route.targets if target.is_enabled]
    return [target for group in _by_weight(enabled, "") for target in group]


def _without_ended(targets: list[Target], now: float) -> tuple[list[Target], list[Target]]:
    """Put apart what is past its end: it is tried when nothing else serves."""
    serving: list[Target] = []
    ended: list[Target] = []
    for target in targets:
        (ended if has_ended(target.model, now) else serving).append(target)
    return serving, ended


def _by_weight(targets: list[Target], sticks_to: str) -> list[list[Target]]:
    # A larger weight draws a larger number more often (Efraimidis and Spirakis, 2006).
    return [
        sorted(
            equals,
            key=lambda target: _draw(target, sticks_to) ** (1 / target.weight),
            reverse=True,
        )
        for _, equals in groupby(targets, key=lambda target: target.priority)
    ]


def _draw(target: Target, sticks_to: str) -> float:
    if not sticks_to:
        return random.random()  # noqa: S311  no secret
    drawn_as = target.drawn_as or target.model.public_id
    return share_of(f"{sticks_to}|{drawn_as}|{target.region}")


def _canary(canaries: list[Target], route: Route, run_id: str) -> Target | None:
    place = 100 * share_of(f"{route.public_id}|{run_id}")
    for target in canaries:
        place -= target.canary_percent or 0
        if place < 0:
            return target
    return None


def _pinned(targets: list[Target], override: Override | None, now: float) -> Target | None:
    if override is None or now >= override.until:
        return None
    named = override.vendor, override.model, override.region
    for target in targets:
        if (target.vendor.name, target.model.name, target.region) == named:
            return target
    return None


def share_of(text: str) -> float:
    """Return a number from 0 up to 1 that is the same for the same text in every process."""
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest()) / _WHOLE
