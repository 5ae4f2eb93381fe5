"""Several incidents at once: what would become of each is said first, then it is done.

Each is taken by the action that exists for one, in a transaction of its own: one that is refused
does not hold the others up, and is named with why.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from fleet.health.actions.incidents import (
    acknowledge_incident,
    assign_incident,
    close_incident,
)
from fleet.health.errors import IncidentsNotUsable
from fleet.health.models import Incident
from fleet.health.queries.incidents import may_act, require_acting
from kernel.errors import DomainError
from registry.actors import Actor
from registry.models import Person

MOST: Final = 200


@dataclass(frozen=True, slots=True)
class Together:
    """What can be done to several: its words, and what it asks for."""

    title: str
    what: str
    effect: str  # on one of them
    asks_why: bool = False
    asks_whom: bool = False


STEPS: Final[Mapping[str, Together]] = {
    "take": Together("Take", "They are yours: they escalate no further.", "it is yours"),
    "close": Together(
        "Resolve", "They are over. Each opens anew if what it is about goes on.", "it is over",
        asks_why=True,
    ),
    "assign": Together(
        "Assign", "Each is given to one person, who is told; it escalates until it is taken.",
        "it is theirs", asks_whom=True,
    ),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Wish:
    """What is to be done, why and to whom."""

    step: str
    why: str = ""
    whom: Person | None = None


@dataclass(frozen=True, slots=True)
class Outlook:
    """What would become of one incident; ``why_not`` is empty where it would be done."""

    incident: Incident
    why_not: str


def foresee(incidents: Iterable[Incident], wish: Wish, *, actor: Actor) -> list[Outlook]:
    """Say what would become of each, changing nothing."""
    whom = Actor.of(wish.whom) if wish.whom is not None else None
    return [Outlook(each, _why_not(each, wish, actor, whom)) for each in incidents]


def carry_out(incidents: Sequence[Incident], wish: Wish, *, actor: Actor) -> list[Outlook]:
    """Do it to each that allows it, and return all with why it was refused to some.

    Records: incident.acknowledged, incident.resolved or incident.assigned for each.
    Raises: IncidentsNotUsable.
    """
    require_usable(wish, len(incidents))
    done = []
    for each in incidents:
        why_not = ""
        try:
            require_acting(actor, each)
            _take(each, wish, actor)
        except DomainError as error:
            why_not = error.detail
        done.append(Outlook(each, why_not))
    return done


def require_usable(wish: Wish, count: int) -> None:
    """Refuse what cannot be done to any incident. Raises: IncidentsNotUsable."""
    if not 1 <= count <= MOST:
        raise IncidentsNotUsable(f"Choose 1 to {MOST} incidents.")
    if STEPS[wish.step].asks_why and not wish.why.strip():
        raise IncidentsNotUsable("Others will ask; say why in a sentence.")
    if STEPS[wish.step].asks_whom and wish.whom is None:
        raise IncidentsNotUsable("Say to whom, by mail address.")


def _why_not(row: Incident, wish: Wish, actor: Actor, whom: Actor | None) -> str:
    if row.resolved_at is not None:
        return "it is over"
    if not may_act(actor, row):
        return "those who answer for its agents, the platform and security take it"
    if wish.step == "take" and row.state == Incident.State.ACKNOWLEDGED:
        return f"{row.acknowledged_by} has taken it"
    if whom is not None and row.owner_id == getattr(whom.person, "pk", None):
        return "it is theirs already"
    if whom is not None and not may_act(whom, row):
        return f"{whom.person} does not answer for its agents"
    return ""


def _take(row: Incident, wish: Wish, actor: Actor) -> None:
    if wish.step == "close":
        close_incident(row, why=wish.why, actor=actor)
    elif wish.step == "assign" and wish.whom is not None:
        assign_incident(row, wish.whom, actor=actor)
    else:
        acknowledge_incident(row, actor=actor)
