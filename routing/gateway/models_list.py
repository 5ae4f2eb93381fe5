"""The models an agent may call: its task routes, in the envelope of the client's dialect.

Owns the fields that vendors' own lists carry about a model's end, so that what reads them
there reads them here.
"""

from __future__ import annotations

from datetime import UTC, date, datetime
from urllib.parse import parse_qs

from routing.gateway.authenticate import Caller
from routing.gateway.errors import CallUnreadable, ModelNotFound
from routing.gateway.lifecycle import day_said, moment_said, stage_of
from routing.gateway.snapshot import Model, Route, Snapshot, Target

_USUAL_PAGE = 20
_LONGEST_PAGE = 1000

Document = dict[str, object]


def openai_list(caller: Caller, snapshot: Snapshot) -> Document:
    """Return all of an agent's routes, as OpenAI lists models."""
    routes = _routes(caller, snapshot)
    data = [each for route in routes for each in _under_each_name(route, openai_entry(route))]
    return {"object": "list", "data": data}


def anthropic_list(caller: Caller, snapshot: Snapshot, query: bytes) -> Document:
    """Return a page of the routes that serve Anthropic's dialect. Raises: CallUnreadable."""
    asked = parse_qs(query.decode("latin-1"), max_num_fields=20)
    entries = [
        entry
        for route in _routes(caller, snapshot)
        if any(target.vendor.dialect == "anthropic" for target in _enabled(route))
        for entry in _under_each_name(route, anthropic_entry(route))
    ]
    names = [str(entry["id"]) for entry in entries]
    limit = _limit(asked.get("limit", [""])[-1])
    first, last = 0, len(entries)
    if after := asked.get("after_id"):
        first = _position(names, after[-1], "after_id") + 1
    if before := asked.get("before_id"):
        last = _position(names, before[-1], "before_id")
        first = max(first, last - limit)
    page = entries[first : min(last, first + limit)]
    more = first > 0 if before else first + limit < last
    return {
        "data": page,
        "has_more": more,
        "first_id": page[0]["id"] if page else None,
        "last_id": page[-1]["id"] if page else None,
    }


def route_named(name: str, caller: Caller, snapshot: Snapshot) -> Route:
    """Return one of an agent's routes. Raises: ModelNotFound."""
    route = snapshot.routes.get(name)
    if route is None or not route.is_enabled or route.name not in caller.agent.routes:
        raise ModelNotFound(f"The model {name[:200]!r} does not exist here.", param="model")
    return route


def openai_entry(route: Route) -> Document:
    """Return a route as one entry of OpenAI's list, with the lifecycle of what serves it.

    That is the earliest end among the targets that are tried first; `targets` has all of them.
    """
    entry: Document = {
        "id": route.name,
        "object": "model",
        "created": int(route.created_at),
        "owned_by": "unsprawl",
        "deprecated": False,
        "shutdown_date": None,
    }
    enabled = _enabled(route)
    if not enabled:
        return entry
    first, model = enabled[0], _first_to_end(enabled)
    return entry | {
        "owned_by": first.vendor.name,
        "deprecated": model.deprecated_on is not None or model.retires_on is not None,
        "deprecated_at": day_said(model.deprecated_on),
        "shutdown_date": day_said(model.retires_on),
        "replacement": model.replacement or None,
        "served_by": _served_by(first),
        "targets": [
            _served_by(target)
            | {
                "deprecated_at": day_said(target.model.deprecated_on),
                "shutdown_date": day_said(target.model.retires_on),
                "replacement": target.model.replacement or None,
            }
            for target in enabled
        ],
    }


def anthropic_entry(route: Route) -> Document:
    """Return a route as one entry of Anthropic's list, with the lifecycle of what serves it."""
    enabled = _enabled(route)
    spoken = [target for target in enabled if target.vendor.dialect == "anthropic"] or enabled
    model = _first_to_end(spoken) if spoken else None
    return {
        "type": "model",
        "id": route.name,
        "display_name": route.name,
        "created_at": datetime.fromtimestamp(int(route.created_at), UTC).isoformat(),
        "lifecycle": stage_of(model),
        "deprecated_at": moment_said(model.deprecated_on) if model else None,
        "retires_at": moment_said(model.retires_on) if model else None,
        "replacement": (model.replacement or None) if model else None,
        "targets": [
            _served_by(target)
            | {
                "lifecycle": stage_of(target.model),
                "deprecated_at": moment_said(target.model.deprecated_on),
                "retires_at": moment_said(target.model.retires_on),
                "replacement": target.model.replacement or None,
            }
            for target in enabled
        ],
    }


def named_entry(entry: Document, name: str, route: Route) -> Document:
    """Return an entry under the name that was asked for."""
    return entry if name == route.name else entry | {"id": name, "alias_of": route.name}


def _under_each_name(route: Route, entry: Document) -> list[Document]:
    if not route.aliases:
        return [entry]
    return [named_entry(entry, name, route) for name in (route.name, *route.aliases)]


def _served_by(target: Target) -> Document:
    vendor = target.vendor
    return {"vendor": vendor.name, "model": target.model.name, "dialect": vendor.dialect}


def _first_to_end(targets: list[Target]) -> Model:
    """Return the model that ends first of those that are tried first."""
    equals = [target.model for target in targets if target.priority == targets[0].priority]
    return min(equals, key=lambda model: model.retires_on or date.max)


def _routes(caller: Caller, snapshot: Snapshot) -> list[Route]:
    known = (snapshot.routes.get(name) for name in caller.agent.routes)
    return [route for route in known if route is not None and route.is_enabled]


def _enabled(route: Route) -> list[Target]:
    return [target for target in route.targets if target.is_enabled]


def _limit(text: str) -> int:
    limit = int(text) if text.isascii() and text.isdigit() and len(text) < 5 else 0
    if text and not 1 <= limit <= _LONGEST_PAGE:
        raise CallUnreadable(f"limit must be a number from 1 to {_LONGEST_PAGE}.", param="limit")
    return limit or _USUAL_PAGE


def _position(names: list[str], name: str, param: str) -> int:
    if name not in names:
        raise CallUnreadable(f"{param} names no model of this list.", param=param)
    return names.index(name)
