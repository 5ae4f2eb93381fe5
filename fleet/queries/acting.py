"""What agents do and what carries it, as far as somebody has to look: counted, one question each.

Owners see their agents' actions; channels and leases are for those who govern.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

from django.db.models import Count, Q, QuerySet

from approvals.channels.reading import SEEING, channels_seen_by
from credentials.models import Lease
from effects.models import Demotion, Proposal
from effects.queries.leases import leases_for
from kernel import clock
from registry.actors import Actor
from registry.models import Agent
from routing.queries.calls import seen_agents

DENIED_DAYS: Final = 7
DEMOTED_DAYS: Final = 30
_SHOWN: Final = 3


@dataclass(frozen=True, slots=True)
class Standing:
    """One thing to look at: how many there are, and the names of the first where that helps."""

    kind: str  # waiting, unknown, denied, demoted, channels, leases
    count: int
    names: list[str] = field(default_factory=list)


def acting_for(actor: Actor) -> list[Standing]:
    """Return what this viewer has to look at; what there is none of is left out."""
    seen = seen_agents(actor)
    found = [*_proposals(seen), _demoted(seen)]
    if actor.has(*SEEING):
        found += [_channels(actor), _leases(actor)]
    return [each for each in found if each.count]


def _proposals(seen: QuerySet[Agent] | None) -> list[Standing]:
    since = clock.now() - timedelta(days=DENIED_DAYS)
    states = Proposal.State
    waiting = Q(state=states.PROPOSED, expires_at__gt=clock.now())
    denied = Q(state=states.DENIED, ended_at__gte=since, created_at__gte=since)
    unknown = Q(state=states.UNKNOWN)
    rows = Proposal.objects.filter(waiting | denied | unknown)
    if seen is not None:
        rows = rows.filter(agent__in=seen)
    counted = rows.aggregate(
        waiting=Count("id", filter=waiting),
        unknown=Count("id", filter=unknown),
        denied=Count("id", filter=denied),
    )
    return [Standing(kind, counted[kind]) for kind in ("unknown", "waiting", "denied")]


def _demoted(seen: QuerySet[Agent] | None) -> Standing:
    since = clock.now() - timedelta(days=DEMOTED_DAYS)
    rows = Demotion.objects.filter(demoted_at__gte=since, agent__stage=Agent.Stage.SOFT_LAUNCH)
    if seen is not None:
        rows = rows.filter(agent__in=seen)
    names = sorted(set(rows.values_list("agent__name", flat=True)))
    return Standing("demoted", len(names), names[:_SHOWN])


def _channels(actor: Actor) -> Standing:
    failing = channels_seen_by(actor).filter(paused_at__isnull=True)
    failing = failing.filter(Q(failures__gt=0) | Q(gone_at__isnull=False)).order_by("name")
    names = list(failing.values_list("name", flat=True))
    return Standing("channels", len(names), names[:_SHOWN])


def _leases(actor: Actor) -> Standing:
    stuck = leases_for(actor).filter(state=Lease.State.IRREVOCABLE)
    return Standing("leases", stuck.count())
