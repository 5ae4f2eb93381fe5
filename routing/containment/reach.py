"""How far a stop would reach, before it is placed: who calls, and what is open right now.

Counts only; it stops nothing. What the gateways carry is asked at their doors, so a
gateway that does not answer is said to be unknown rather than left out.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from django.conf import settings
from django.db.models import Count, QuerySet
from django.db.models.functions import Now

from registry.actors import Actor
from registry.models import Agent, AgentKey, Person
from routing.containment.gateways import Known, live_gateways
from routing.door import DoorShut, knock
from routing.internal import InternalKeys
from routing.models import Call
from routing.queries.stops import Subject, require_office

DAY: Final = timedelta(hours=24)
HOUR: Final = timedelta(hours=1)
_SHOWN: Final = 20
_SECONDS: Final = 1.0


@dataclass(frozen=True, slots=True)
class Reach:
    """What a stop would hit."""

    subject: Subject
    agents: int
    names: list[str]
    owners: list[str]
    keys: int
    calls_in_hour: int
    calls_in_day: int
    callers: list[tuple[str, int]]  # agents that called in the last day, by how often
    open_now: int
    gateways: int
    silent: list[str]  # gateways that did not say what they carry

    def facts(self) -> dict[str, Any]:
        return {
            "agents": self.agents, "agent_names": self.names, "owners": self.owners,
            "keys": self.keys, "calls_in_hour": self.calls_in_hour,
            "calls_in_day": self.calls_in_day, "open_now": self.open_now,
            "callers": [{"agent": name, "calls": calls} for name, calls in self.callers],
            "gateways": self.gateways, "silent_gateways": self.silent,
        }  # fmt: skip


def reach_of(subject: Subject, *, actor: Actor) -> Reach:
    """Return how far a stop of a subject would reach. Raises: MayNotStop."""
    require_office(actor, subject)
    calls = _calls(subject)
    counted = calls.filter(started_at__gt=Now() - DAY).values("agent_id")
    callers = dict(counted.annotate(n=Count("id")).order_by("-n").values_list("agent_id", "n"))
    known = dict(Agent.objects.filter(public_id__in=callers).values_list("public_id", "name"))
    agents = _agents(subject, list(callers))
    keys = AgentKey.objects.filter(agent__in=agents, revoked_at__isnull=True, expires_at__gt=Now())
    if subject.scope == "key":
        keys = keys.filter(public_id=subject.id)
    gateways = live_gateways()
    open_now, silent = _open_now(gateways, subject)
    owners = Person.objects.filter(owned_agents__in=agents).distinct().order_by("email")
    return Reach(
        subject=subject,
        agents=agents.count(),
        names=list(agents.order_by("name").values_list("name", flat=True)[:_SHOWN]),
        owners=list(owners.values_list("email", flat=True)[:_SHOWN]),
        keys=keys.count(),
        calls_in_hour=calls.filter(started_at__gt=Now() - HOUR).count(),
        calls_in_day=sum(callers.values()),
        callers=[(known.get(agent, agent), n) for agent, n in list(callers.items())[:_SHOWN]],
        open_now=open_now,
        gateways=len(gateways),
        silent=silent,
    )


def _agents(subject: Subject, callers: list[str]) -> QuerySet[Agent]:
    """Return whom it would hit: those covered, or those that called what is covered."""
    match subject.scope:
        case "route":
            return Agent.objects.filter(routes__contains=[subject.name], retired_at__isnull=True)
        case "vendor" | "model":
            return Agent.objects.filter(public_id__in=callers)
        case _:
            return subject.agents().filter(retired_at__isnull=True)


def _calls(subject: Subject) -> QuerySet[Call]:
    match subject.scope:
        case "fleet":
            return Call.objects.all()
        case "key":
            return Call.objects.filter(key_id=subject.id)
        case "vendor" | "model" | "route":
            return Call.objects.filter(**subject.aims)
        case _:
            return Call.objects.filter(agent_id__in=subject.agents().values("public_id"))


def _open_now(gateways: list[Known], subject: Subject) -> tuple[int, list[str]]:
    if not gateways:
        return 0, []
    keys = InternalKeys.load(settings.KEYS_DIR)
    question = {"scope": subject.scope, "subject": subject.id}

    def ask(each: Known) -> int | None:
        try:
            found = knock(each.door, question, keys, _SECONDS) if each.door else {}
        except DoorShut:
            return None
        count = found.get("open") if found.get("gateway") == each.name else None
        return count if isinstance(count, int) else None

    with ThreadPoolExecutor(len(gateways), thread_name_prefix="reach") as pool:
        counts = list(pool.map(ask, gateways))
    pairs = list(zip(gateways, counts, strict=True))
    silent = [each.path for each, count in pairs if count is None and not each.has_ended]
    return sum(count for count in counts if count is not None), silent
