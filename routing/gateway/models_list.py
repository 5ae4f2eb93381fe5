"""The models an agent may call: its task routes, in the envelope of the client's dialect.

Owns the fields that vendors' own lists carry about a model's end, so that what reads them
there reads them here.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from urllib.parse import parse_qs

from kernel.clock import now
from routing.gateway.authenticate import Caller
from routing.gateway.errors import CallUnreadable, ModelNotFound
from routing.gateway.snapshot import Route, Snapshot, Target

_USUAL_PAGE = 20
_LONGEST_PAGE = 1000

Document = dict[str, object]


def openai_list(caller: Caller, snapshot: Snapshot) -> Document:
    """Return all of an agent's routes, as OpenAI lists models."""
    routes = _routes(caller, snapshot)
    return {"object": "list", "data": [openai_entry(route) for route in routes]}


def anthropic_list(caller: Caller, snapshot: Snapshot, query: bytes) -> Document:
    """Return a page of the routes that serve Anthropic's dialect. Raises: CallUnreadable."""
    asked = parse_qs(query.decode("latin-1"), max_num_fields=20)
    entries = [
        anthropic_entry(route)
        for route in _routes(caller, snapshot)
        if any(target.vendor.dialect == "anthropic" for target in _enabled(route))
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
    if route is None or not route.is_enabled or name not in caller.agent.routes:
        raise ModelNotFound(f"The model {name[:200]!r} does not exist here.", param="model")
    return route


def openai_entry(route: Route) -> Document:
    """Return a route as one entry of OpenAI's list, with the lifecycle of its first target."""
    entry: Document = {
        "id": route.name,
        "object": "model",
        "created": int(route.created_at),
        "owned_by": "unsprawl",
        "deprecated": False,
        "shutdown_date": None,
    }
    target = next(iter(_enabled(route)), None)
    if target is None:
        return entry
    model, vendor = target.model, target.vendor
    return entry | {
        "owned_by": vendor.name,
        "deprecated": model.deprecated_on is not None or model.retires_on is not None,
        "deprecated_at": _day(model.deprecated_on),
        "shutdown_date": _day(model.retires_on),
        "replacement": model.replacement or None,
        "served_by": {"vendor": vendor.name, "model": model.name, "dialect": vendor.dialect},
    }


def anthropic_entry(route: Route) -> Document:
    """Return a route as one entry of Anthropic's list, with the lifecycle of its first target."""
    enabled = _enabled(route)
    spoken = [target for target in enabled if target.vendor.dialect == "anthropic"]
    target = next(iter([*spoken, *enabled]), None)
    model = target.model if target is not None else None
    return {
        "type": "model",
        "id": route.name,
        "display_name": route.name,
        "created_at": datetime.fromtimestamp(int(route.created_at), UTC).isoformat(),
        "lifecycle": _stage(target),
        "deprecated_at": _moment(model.deprecated_on) if model else None,
        "retires_at": _moment(model.retires_on) if model else None,
        "replacement": (model.replacement or None) if model else None,
    }


def _routes(caller: Caller, snapshot: Snapshot) -> list[Route]:
    known = (snapshot.routes.get(name) for name in caller.agent.routes)
    return [route for route in known if route is not None and route.is_enabled]


def _enabled(route: Route) -> list[Target]:
    return [target for target in route.targets if target.is_enabled]


def _stage(target: Target | None) -> str:
    if target is None:
        return "retired"
    model = target.model
    today = now().date()
    # Past its date it may still answer: the vendor's word for that is deprecated.
    is_deprecated = model.deprecated_on is not None and model.deprecated_on <= today
    is_due = model.retires_on is not None and model.retires_on <= today
    return "deprecated" if is_deprecated or is_due else "active"


def _limit(text: str) -> int:
    limit = int(text) if text.isascii() and text.isdigit() and len(text) < 5 else 0
    if text and not 1 <= limit <= _LONGEST_PAGE:
        raise CallUnreadable(f"limit must be a number from 1 to {_LONGEST_PAGE}.", param="limit")
    return limit or _USUAL_PAGE


def _position(names: list[str], name: str, param: str) -> int:
    if name not in names:
        raise CallUnreadable(f"{param} names no model of this list.", param=param)
    return names.index(name)


def _day(day: date | None) -> str | None:
    return day.isoformat() if day is not None else None


def _moment(day: date | None) -> str | None:
    return datetime.combine(day, time(), tzinfo=UTC).isoformat() if day is not None else None
