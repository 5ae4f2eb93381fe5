"""What is said of a model that is to follow another: the `Link` of a dated answer leads here.

A successor need not be a route of this agent, nor be served here at all. It is shown to an
agent that calls what it follows, and says by which names that agent can call it, if by any.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime

from routing.gateway.authenticate import Caller
from routing.gateway.errors import ModelNotFound
from routing.gateway.lifecycle import day_said, moment_said, stage_of
from routing.gateway.snapshot import Model, Route, Shift, Snapshot, Target

Document = dict[str, object]


def successor(name: str, caller: Caller, snapshot: Snapshot, *, is_anthropic: bool) -> Document:
    """Return the entry of a model that follows one of the agent's. Raises: ModelNotFound."""
    shifts = snapshot.shifts.get(caller.agent.public_id, {})
    follows = sorted(
        {
            target.model.name
            for route in _routes(caller, snapshot)
            for target in route.targets
            if name and name in {target.model.replacement, _moved_to(shifts, target)}
        }
    )
    if not follows:
        raise ModelNotFound(f"The model {name[:200]!r} does not exist here.", param="model")
    routes = [route for route in _routes(caller, snapshot) if _serving(route, name) is not None]
    served = next((target for route in routes if (target := _serving(route, name))), None)
    model = served.model if served is not None else _known(name, snapshot)
    shape = _anthropic if is_anthropic else _openai
    return shape(name, model) | {
        "successor_of": follows,
        "routes": [route.name for route in routes],
    }


def _openai(name: str, model: Model | None) -> Document:
    return {
        "id": name,
        "object": "model",
        "created": int(model.created_at) if model is not None else 0,
        "owned_by": "unsprawl",
        "deprecated": stage_of(model) == "deprecated",
        "deprecated_at": day_said(model.deprecated_on) if model is not None else None,
        "shutdown_date": day_said(model.retires_on) if model is not None else None,
        "replacement": (model.replacement or None) if model is not None else None,
    }


def _anthropic(name: str, model: Model | None) -> Document:
    created = datetime.fromtimestamp(int(model.created_at) if model is not None else 0, UTC)
    return {
        "type": "model",
        "id": name,
        "display_name": name,
        "created_at": created.isoformat(),
        "lifecycle": stage_of(model) if model is not None else "active",
        "deprecated_at": moment_said(model.deprecated_on) if model is not None else None,
        "retires_at": moment_said(model.retires_on) if model is not None else None,
        "replacement": (model.replacement or None) if model is not None else None,
    }


def _moved_to(shifts: Mapping[str, Shift], target: Target) -> str:
    """Return to what this agent is being moved from a target; empty where to nothing."""
    shift = shifts.get(target.model.public_id)
    return shift.model if shift is not None else ""


def _routes(caller: Caller, snapshot: Snapshot) -> Iterator[Route]:
    for name in caller.agent.routes:
        route = snapshot.routes.get(name)
        if route is not None and route.is_enabled:
            yield route


def _serving(route: Route, name: str) -> Target | None:
    return next(
        (each for each in route.targets if each.is_enabled and each.model.name == name), None
    )


def _known(name: str, snapshot: Snapshot) -> Model | None:
    return next((model for (_, named), model in snapshot.models.items() if named == name), None)
