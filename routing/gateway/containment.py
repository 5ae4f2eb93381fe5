"""What one gateway process answers when it is asked whether a stop holds here.

Owns the proof of one process: it looks at the database again, says whether what it then
knows refuses the subject, and cuts what it still carries of it. What is counted is what
is open after the cut, so that an answer of nothing is nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final

from kernel.errors import DomainError
from routing.gateway.authenticate import agent_refusal, key_refusal
from routing.gateway.errors import NotGoverned
from routing.gateway.open_calls import OpenCall, OpenCalls
from routing.gateway.ports import Snapshots
from routing.gateway.snapshot import Agent, Model, Route, Snapshot, Vendor
from routing.gateway.stops import Stop

SCOPES: Final = frozenset({"key", "agent", "owner", "team", "model", "vendor", "route", "fleet"})


@dataclass(frozen=True, slots=True)
class Containment:
    """Answers for this process."""

    gateway: str
    writer: Callable[[], str]
    snapshots: Snapshots
    age_seconds: Callable[[], float]
    open_calls: OpenCalls

    async def answer(self, question: dict[str, Any]) -> dict[str, Any]:
        """Say how a subject stands here; ``cut`` ends what is open of it."""
        scope, subject = str(question.get("scope")), str(question.get("subject"))
        if scope not in SCOPES:
            return {"gateway": self.gateway, "error": "unknown_scope"}
        wants_cut = question.get("cut") is True
        if wants_cut:
            await self.snapshots.look_again()
        snapshot = self._snapshot()
        holds = snapshot is not None and is_refused(scope, subject, snapshot)
        matching = [call for call in self.open_calls if covers(scope, subject, call)]
        if wants_cut:
            cause = Stop(str(question.get("stop", "")), scope, "security", 0.0).refusal()
            for call in matching:
                call.cut(_cause(cause, call, snapshot))
        return {
            "gateway": self.gateway,
            "writer": self.writer(),
            "holds": holds,
            # Without fresh rules nothing is let through, whatever they are.
            "governed": snapshot is not None,
            "age_ms": min(int(self.age_seconds() * 1000), 2**31),
            "open": len(matching),
        }

    def _snapshot(self) -> Snapshot | None:
        try:
            return self.snapshots.current()
        except NotGoverned:
            return None


def covers(scope: str, subject: str, call: OpenCall) -> bool:
    """Say whether an open call is of a subject."""
    if scope == "fleet":
        return True
    if scope in {"vendor", "model", "route"}:
        aims = {"vendor": call.vendor.public_id, "model": call.model, "route": call.route}
        return aims[scope] == subject
    if call.caller is None:
        return False
    key, agent = call.caller.key, call.caller.agent
    of = {
        "key": key.public_id, "agent": agent.public_id, "owner": agent.owner,
        "team": agent.team_id,
    }  # fmt: skip
    return of[scope] == subject


def is_refused(scope: str, subject: str, snapshot: Snapshot) -> bool:
    """Say whether everything of a subject is refused: by a stop, or in another way."""
    if snapshot.stops.covers(scope, subject) is not None:
        return True
    match scope:
        case "key":
            keys = [key for key in snapshot.keys.values() if key.public_id == subject]
            return all(key_refusal(key) is not None for key in keys)
        case "agent" | "owner" | "team":
            agents = [each for each in snapshot.agents.values() if _of(scope, each) == subject]
            return all(agent_refusal(agent) is not None for agent in agents)
        case _:
            return not _is_served(scope, subject, snapshot)


def _is_served(scope: str, subject: str, snapshot: Snapshot) -> bool:
    found: dict[str, Iterable[Vendor | Model | Route]] = {
        "vendor": snapshot.vendors.values(),
        "model": snapshot.models.values(),
        "route": snapshot.routes.values(),
    }
    # Nothing here is the fleet: only its stop stands for it.
    return scope not in found or any(
        each.is_enabled for each in found[scope] if each.public_id == subject
    )


def _of(scope: str, agent: Agent) -> str:
    return {"agent": agent.public_id, "owner": agent.owner, "team": agent.team_id}[scope]


def _cause(usual: DomainError, call: OpenCall, snapshot: Snapshot | None) -> DomainError:
    """Return the refusal that a new call would meet, where that can be told."""
    if snapshot is None:
        return usual
    stops = snapshot.stops
    found = stops.of_aim(call.vendor.public_id, call.model, call.route)
    if found is None and call.caller is not None:
        key = snapshot.keys.get(call.caller.key.key_id)
        agent = snapshot.agents.get(call.caller.key.agent)
        if key is not None and agent is not None:
            return key_refusal(key) or agent_refusal(agent) or stops.of_caller(key, agent) or usual
    return found or usual
