"""Stops as the gateway knows them, and the one guard that refuses what they cover.

Owns the words of the refusal: it names the stop and the office that placed it, never the
reason, which is for people. Without a stop in force the guard is one look at an empty set.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from kernel.errors import Denied

if TYPE_CHECKING:
    from routing.gateway.snapshot import Agent, Key, Target

OF_TARGETS: Final = frozenset({"vendor", "model"})


_WHAT: Final = {
    "key": "This key",
    "agent": "This agent",
    "owner": "Every agent of this owner",
    "team": "Every agent of this team",
    "model": "This model",
    "vendor": "This vendor",
    "route": "This route",
    "fleet": "Every call",
}
_BY: Final = {"platform": "the platform team", "owner": "its owner", "operator": "the operator"}


class Stopped(Denied):
    """Raised for what a stop covers, before a call and in the middle of one. Never retried."""

    code = "routing.stopped"
    title = "This was stopped"

    @property
    def leaves_others(self) -> bool:
        """Tell whether another target might still serve the call."""
        return self.facts.get("scope") in OF_TARGETS


@dataclass(frozen=True, slots=True)
class Stop:
    """One stop in force."""

    public_id: str
    scope: str
    placed_as: str
    placed_at: float  # seconds since the epoch

    def refusal(self) -> Stopped:
        since = datetime.fromtimestamp(self.placed_at, UTC)
        return Stopped(
            f"{_WHAT.get(self.scope, 'This')} was stopped by"
            f" {_BY.get(self.placed_as, self.placed_as)} at {since:%Y-%m-%d %H:%M} UTC"
            f" (stop {self.public_id}). Trying again does not help: ask them to lift it.",
            stop=self.public_id,
            scope=self.scope,
        )


_No = Mapping[str, Stop]


@dataclass(frozen=True, slots=True)
class Stops:
    """Every stop in force, by what it covers. False when there is none."""

    fleet: Stop | None = None
    of: Mapping[str, _No] = field(default_factory=dict)  # scope, then the subject's public id

    def __bool__(self) -> bool:
        return self.fleet is not None or bool(self.of)

    def covers(self, scope: str, subject: str) -> Stop | None:
        """Return the stop of this very subject, or of everything."""
        return self.fleet or self.of.get(scope, _NONE).get(subject)

    def of_caller(self, key: Key, agent: Agent) -> Stopped | None:
        """Say why this caller may call nothing."""
        stop = self.covers("key", key.public_id)
        return stop.refusal() if stop is not None else self.of_agent(agent)

    def of_agent(self, agent: Agent) -> Stopped | None:
        """Say why this agent may call nothing, nor anybody for it."""
        stop = (
            self.covers("agent", agent.public_id)
            or self.covers("owner", agent.owner)
            or self.covers("team", agent.team_id)
        )
        return stop.refusal() if stop is not None else None

    def of_target(self, target: Target) -> Stopped | None:
        """Say why nothing may be sent to this target."""
        return self.of_aim(target.vendor.public_id, target.model.public_id)

    def of_aim(self, vendor: str, model: str, route: str = "") -> Stopped | None:
        """Say why nothing may go to a vendor's model by a route; ids that are empty match none."""
        stop = (
            self.covers("route", route) or self.covers("vendor", vendor)
            or self.covers("model", model)
        )  # fmt: skip
        return stop.refusal() if stop is not None else None


_NONE: Final[_No] = {}
NO_STOPS: Final = Stops()
