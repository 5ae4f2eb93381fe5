"""Reading campaigns and moves: owners their own, those who govern all of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Final

from django.conf import settings
from django.db.models import Count, Exists, OuterRef, Q, QuerySet, Sum

from fleet.campaigns.errors import CampaignNotFound, MoveNotFound, NotYourMove
from fleet.campaigns.models import Campaign, Move
from fleet.evaluations.models import Evaluation
from kernel import clock
from ledger.models import Entry
from registry.actors import Actor
from registry.models import Agent, Role
from registry.queries.agents import answers_for
from routing.models import LifecycleChange, Model
from routing.queries.calls import seen_agents

State = Move.State


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the moves of a campaign are."""

    moves: int = 0
    done: int = 0  # moved
    paused: int = 0
    unneeded: int = 0
    under_way: int = 0
    contested: int = 0
    waiting: int = 0  # for somebody to choose
    cost: int = 0  # in micro-units, of the last 90 days before its agents were looked for

    @property
    def needed(self) -> int:
        return self.moves - self.unneeded

    @property
    def settled(self) -> int:
        return self.done + self.paused

    @property
    def ratio(self) -> float:
        return self.settled / self.needed if self.needed else 1.0


_COUNTED: Final = tuple(Progress.__dataclass_fields__)


def campaigns_for(actor: Actor) -> QuerySet[Campaign]:
    """Return the campaigns this viewer may see: those with a move of theirs, or all."""
    rows = Campaign.objects.select_related("model__vendor", "change")
    seen = seen_agents(actor)
    if seen is None:
        return rows
    own = Move.objects.filter(campaign=OuterRef("pk"), agent__in=seen)
    return rows.filter(Exists(own))


def campaign_for(actor: Actor, public_id: str) -> Campaign:
    """Return one campaign. Raises: CampaignNotFound."""
    said = "" if "\x00" in public_id else public_id
    found = campaigns_for(actor).filter(public_id=said).first()
    if found is None:
        raise CampaignNotFound(f"There is no campaign {said[:80]!r}, or you may not see it.")
    return found


def open_campaign_of(actor: Actor, model: Model) -> Campaign | None:
    """Return the open campaign of a model that a viewer may see."""
    return campaigns_for(actor).filter(model=model, state=Campaign.State.OPEN).first()


def moves_for(actor: Actor, campaign: Campaign | None = None) -> QuerySet[Move]:
    """Return the moves this viewer may see: those of agents they answer for, or all."""
    rows = Move.objects.select_related(
        "campaign__model__vendor", "agent__owner", "agent__backup_owner", "agent__team",
        "candidate__vendor",
    ).defer("agent__searchable")  # fmt: skip
    if campaign is not None:
        rows = rows.filter(campaign=campaign)
    seen = seen_agents(actor)
    return rows if seen is None else rows.filter(agent__in=seen)


def move_for(actor: Actor, public_id: str) -> Move:
    """Return one move. Raises: MoveNotFound."""
    said = "" if "\x00" in public_id else public_id
    found = moves_for(actor).filter(public_id=said).first()
    if found is None:
        raise MoveNotFound(f"There is no move {said[:80]!r}, or you may not see it.")
    return found


def my_open_moves(actor: Actor) -> QuerySet[Move]:
    """Return what is left to do for the agents that somebody answers for, soonest first."""
    rows = moves_for(actor).filter(ended_at__isnull=True, campaign__state=Campaign.State.OPEN)
    if actor.person is None:
        return rows.none()
    mine = Q(agent__owner=actor.person) | Q(agent__backup_owner=actor.person)
    return rows.filter(mine).order_by("campaign__due_on", "agent__name")


def moves_of(agent: Agent) -> QuerySet[Move]:
    """Return the moves of one agent that are not over, and those that paused it, soonest first."""
    rows = Move.objects.filter(agent=agent, campaign__state=Campaign.State.OPEN)
    rows = rows.exclude(state__in=(State.DONE, State.UNNEEDED))
    return rows.select_related("campaign__model__vendor", "candidate__vendor").order_by(
        "campaign__due_on", "public_id"
    )


def left_to_do(actor: Actor) -> QuerySet[Move]:
    """Return the moves that wait for somebody to choose or sign, as far as a viewer sees them.

    Those that are contested wait for the platform team.
    """
    states = [State.OPEN, State.READY, *([State.CONTESTED] if actor.has(Role.PLATFORM) else [])]
    rows = Move.objects.filter(state__in=states, campaign__state=Campaign.State.OPEN)
    seen = seen_agents(actor)
    return rows if seen is None else rows.filter(agent__in=seen)


def may_decide(actor: Actor, move: Move) -> bool:
    """Say whether somebody decides about this move."""
    return answers_for(actor, move.agent)


def require_say(actor: Actor, move: Move) -> None:
    """Raises: NotYourMove."""
    if not may_decide(actor, move):
        raise NotYourMove(rule="campaigns.may_decide")


def progress_of(actor: Actor, campaigns: Iterable[Campaign]) -> dict[int, Progress]:
    """Return how far campaigns are, by key, counted over the moves that a viewer sees."""
    rows = moves_for(actor).filter(campaign__in=list(campaigns)).select_related(None).order_by()
    sums = rows.values("campaign_id").annotate(
        moves=Count("pk"),
        done=Count("pk", filter=Q(state=State.DONE)),
        paused=Count("pk", filter=Q(state=State.PAUSED)),
        unneeded=Count("pk", filter=Q(state=State.UNNEEDED)),
        under_way=Count("pk", filter=Q(state__in=["evaluating", "ready", "signing", "shifting"])),
        contested=Count("pk", filter=Q(state=State.CONTESTED)),
        waiting=Count("pk", filter=Q(state=State.OPEN)),
        cost=Sum("cost_micros", default=0),
    )
    found: dict[int, Progress] = {}
    for row in sums:
        said = {name: int(str(value)) for name, value in row.items() if name in _COUNTED}
        found[row["campaign_id"]] = Progress(**said)
    return found


def burn_down(campaign: Campaign) -> list[tuple[date, int]]:
    """Return how many moves were left at the end of each day since the campaign was opened."""
    today = clock.now().date()
    first = campaign.opened_at.date()
    ends = Move.objects.filter(campaign=campaign).exclude(state=State.UNNEEDED)
    rows = list(ends.values_list("joined_at", "ended_at"))
    last = min(today, (campaign.ended_at or clock.now()).date())
    days = [first + timedelta(days=number) for number in range(max(0, (last - first).days) + 1)]
    return [
        (
            day,
            sum(
                joined.date() <= day and (ended is None or ended.date() > day)
                for joined, ended in rows
            ),
        )
        for day in days[-400:]
    ]


def falls_due_at(campaign: Campaign) -> datetime:
    """Return the moment from which on nothing may call the model any more.

    Vendors name a day and no zone, so it is the day's beginning in UTC less a margin.
    """
    return falls_due_on(campaign.due_on)


def falls_due_on(day: date) -> datetime:
    """Return the moment at which a deadline of this day is carried out."""
    begins = datetime.combine(day, time.min, UTC)
    return begins - timedelta(hours=settings.CAMPAIGN_MARGIN_HOURS)


def days_left(campaign: Campaign) -> int:
    """Return how many days are left until the day it is due; negative when that is over."""
    return (campaign.due_on - clock.now().date()).days


def entries_of(campaign: Campaign) -> QuerySet[Entry]:
    """Return what is on record of a campaign, the newest first."""
    return Entry.objects.filter(stream=str(campaign.ref)).order_by("-id")


def entries_of_move(move: Move) -> QuerySet[Entry]:
    """Return what is on record of a move, the newest first; it lies with its agent."""
    rows = Entry.objects.filter(agent_id=move.agent.public_id, subject=str(move.ref))
    return rows.order_by("-id")


def changes_of(campaign: Campaign) -> list[LifecycleChange]:
    """Return what was noted of the model's end, price or address, the newest first."""
    rows = LifecycleChange.objects.filter(model=campaign.model_id)
    return list(rows.order_by("-id")[:10])


def evaluation_of(move: Move) -> Evaluation | None:
    """Return the evaluation of what was chosen; None where there is none."""
    found = Evaluation.objects.filter(public_id=move.evaluation_id)
    return found.first() if move.evaluation_id else None
