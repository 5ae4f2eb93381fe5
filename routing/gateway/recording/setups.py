"""The configuration that an attempt was made under, as the record names it by digest.

Owns its form: what of agent, route, target, protection and code decides what becomes of a
call's bytes, and no secret. Written once for each combination in one snapshot; reading it
back gives the same objects, which is how replay decides what was decided.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any, Final

import orjson

from routing.gateway.options import RouteOptions
from routing.gateway.snapshot import Agent, Model, Route, Target, Vendor
from routing.gateway.tools.declared import DeclaredTools, SharedTools

FORM: Final = 1
_KEPT: Final = 8_192
_BODIES: Final = 16_384
# What of a route only says which target is tried, and when: that is on record already.
_OPTIONS: Final = ("translate", "drop_hints", "detectors", "tools")


@dataclass(frozen=True, slots=True)
class Setup:
    """A configuration, read back."""

    code: str
    agent: Agent
    route: Route
    target: Target
    protection: Mapping[str, Any]


class Setups:
    """The setups of this process."""

    def __init__(self, code: str = "", protection: Mapping[str, Any] | None = None) -> None:
        self.code = code
        self._protection = dict(protection or {})
        self._known: OrderedDict[tuple[int, int, int], tuple[object, str]] = OrderedDict()
        self._bodies: OrderedDict[str, bytes] = OrderedDict()

    def digest(self, agent: Agent, route: Route, target: Target) -> str:
        """Return the name of the setup of an attempt."""
        key = (id(agent), id(route), id(target))
        if (known := self._known.get(key)) is not None:
            return known[1]
        body = self._written(agent, route, target)
        digest = "sha256:" + hashlib.sha256(body).hexdigest()
        # The objects are held, so that no other can come to have the id of one of them.
        self._known[key] = (agent, route, target), digest
        self._bodies[digest] = body
        if len(self._known) > _KEPT:
            self._known.popitem(last=False)
        if len(self._bodies) > _BODIES:
            self._bodies.popitem(last=False)
        return digest

    def body(self, digest: str) -> bytes | None:
        return self._bodies.get(digest)

    def _written(self, agent: Agent, route: Route, target: Target) -> bytes:
        document = {
            "form": FORM,
            "code": self.code,
            "agent": _agent(agent),
            "route": {
                "public_id": route.public_id,
                "name": route.name,
                "constraints": dict(route.constraints),
                "options": {name: getattr(route.options, name) for name in _OPTIONS},
            },
            "target": _target(target),
            "protection": self._protection,
        }
        return orjson.dumps(document, option=orjson.OPT_SORT_KEYS)


def _agent(agent: Agent) -> dict[str, Any]:
    lent = agent.lent_tools
    return {
        "public_id": agent.public_id,
        "name": agent.name,
        "stage": agent.stage,
        "data_classes": agent.data_classes,
        "routes": agent.routes,
        "team": agent.team,
        "tools": agent.tools.entries,
        "lent_tools": None if lent is None else [one.entries for one in lent.of],
    }


def _target(target: Target) -> dict[str, Any]:
    vendor, model = target.vendor, target.model
    return {
        "vendor": {
            "public_id": vendor.public_id,
            "name": vendor.name,
            "dialect": vendor.dialect,
            "base_url": vendor.base_url,
            "auth_scheme": vendor.auth_scheme,
            "data_classes": vendor.data_classes,
            "profile": vendor.profile,
        },
        "model": asdict(model),
        "region": target.region,
    }


def read_setup(raw: bytes) -> Setup:
    """Read a setup back. Raises: ValueError, KeyError, TypeError for what is none."""
    said = orjson.loads(raw)
    if said["form"] != FORM:
        raise ValueError(f"a setup of form {said['form']} is not known here")
    return Setup(
        said["code"],
        _agent_of(said["agent"]),
        Route(
            public_id=said["route"]["public_id"],
            name=said["route"]["name"],
            constraints=said["route"]["constraints"],
            is_enabled=True,
            targets=(target := _target_of(said["target"]),),
            created_at=0.0,
            options=RouteOptions(**said["route"]["options"]),
        ),
        target,
        said["protection"],
    )


def _agent_of(said: Mapping[str, Any]) -> Agent:
    lent = said["lent_tools"]
    return Agent(
        public_id=said["public_id"],
        name=said["name"],
        stage=said["stage"],
        is_suspended=False,
        is_killed=False,
        data_classes=tuple(said["data_classes"]),
        routes=tuple(said["routes"]),
        team=said["team"],
        tools=DeclaredTools(said["tools"]),
        lent_tools=None if lent is None else SharedTools(tuple(map(DeclaredTools, lent))),
    )


def _target_of(said: Mapping[str, Any]) -> Target:
    vendor, model = dict(said["vendor"]), dict(said["model"])
    vendor["data_classes"] = tuple(vendor["data_classes"])
    for name in ("deprecated_on", "retires_on"):
        model[name] = None if model[name] is None else date.fromisoformat(model[name])
    return Target(
        vendor=Vendor(is_enabled=True, secret=None, **vendor),
        model=Model(**model),
        region=said["region"],
        weight=1,
        priority=0,
    )
