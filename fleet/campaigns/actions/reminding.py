"""Reminders: whoever answers for an agent is told while there is something for them to do.

Each of 90, 60, 30, 14, 7 and 1 days once; after an outage only the newest that is due. The nearer
the day, the more people are told: then the backup owner, then the team.
"""

from __future__ import annotations

from functools import partial
from typing import Final

from django.db import transaction

from fleet.campaigns.actions.each import take_each
from fleet.campaigns.actions.recording import note_move
from fleet.campaigns.models import Campaign, Move
from fleet.campaigns.queries.campaigns import days_left
from fleet.campaigns.queries.ruled import ruled
from fleet.telling.actions.telling import tell
from kernel import clock
from ledger.verbs import Verb
from registry.actors import Actor
from registry.models import Person, Role, Team

State = Move.State
STAGES: Final = (90, 60, 30, 14, 7, 1)
TO_BACKUP: Final = 30
TO_TEAM: Final = 14
OVERDUE: Final = -1
_ASKED_FOR: Final = {
    State.OPEN: "Choose another model",
    State.EVALUATING: "Its evaluation runs: sign and move once it has passed",
    State.READY: "It is ready: sign and move",
    State.SIGNING: "Its cutover waits for signatures: sign it, or it ends with the deadline",
    State.CONTESTED: "It is contested: answer whether the move stands",
}
TO_DO: Final = tuple(state for state in _ASKED_FOR if state != State.CONTESTED)  # for owners


def stage_at(left: int) -> int | None:
    """Return the newest reminder that is due when so many days are left; None before the first."""
    if left < 0:
        return OVERDUE
    return min((stage for stage in STAGES if left <= stage), default=None)


def remind_owners(*, actor: Actor) -> int:
    """Send the reminders that are due; return how many moves they are of.

    Records: move.reminded, for each.
    """
    told = 0
    for campaign in Campaign.objects.filter(state=Campaign.State.OPEN):
        stage = stage_at(days_left(campaign))
        if stage is None:
            continue
        rows = Move.objects.filter(campaign=campaign, state__in=list(_ASKED_FOR))
        waiting = rows.exclude(reminded_days__lte=stage).order_by("pk")
        keys = list(waiting.values_list("pk", flat=True))
        told += take_each(keys, partial(_remind, stage=stage, actor=actor), what="a reminder")
    return told


@transaction.atomic
def remind_now(campaign: Campaign, moves: list[Move], *, actor: Actor) -> int:
    """Remind the owners of some moves now, whatever they were told before; return how many.

    Records: move.reminded, for each. Raises: RoleMissing.
    """
    actor.require(Role.PLATFORM)
    left = days_left(campaign)
    waiting = [move for move in moves if move.state in TO_DO]
    for move in waiting:
        _tell(move, stage_at(left) or STAGES[0], actor, again=True)
    return len(waiting)


@transaction.atomic
def _remind(move_key: int, stage: int, actor: Actor) -> bool:
    rows = Move.objects.select_for_update(skip_locked=True, of=("self",)).select_related(
        "campaign__model__vendor", "agent__owner", "agent__backup_owner", "agent__team"
    )
    move = rows.filter(pk=move_key, state__in=list(_ASKED_FOR)).first()
    if move is None or (move.reminded_days is not None and move.reminded_days <= stage):
        return False
    Move.objects.filter(pk=move.pk).update(reminded_days=stage)
    _tell(move, stage, actor)
    return True


def _tell(move: Move, stage: int, actor: Actor, *, again: bool = False) -> None:
    campaign, agent = move.campaign, move.agent
    people, teams, roles = _receivers(move, stage)
    if move.state == State.CONTESTED:
        people, teams, roles = [], [], [Role.PLATFORM]
    model, left = campaign.model, days_left(campaign)
    when = f"in {left} days" if left > 0 else "today" if left == 0 else "overdue"
    rule = move.rule
    what = "is paused" if rule["rule"] == "pause" else "moves by its rule"
    todo = _ASKED_FOR[State(move.state)]
    if rule["rule"] == "move" and stage <= TO_TEAM and (why_not := ruled(move).why_not):
        what = f"is paused: its rule cannot be kept as things stand, {why_not}"
    ends = model.retires_on or campaign.due_on
    until = "" if ends >= campaign.due_on else f", and is off here from {campaign.due_on} on"
    if campaign.kind == Campaign.Kind.RETIREMENT:
        title = f"{agent.title} must move from {model.name} by {campaign.due_on}"
        lines = [
            f"{model.vendor.name}/{model.name} ends on {ends}{until}: {when}.",
            f"{todo}.",
            f"If nothing happens, {agent.name}, before that day begins, {what}.",
        ]
    else:
        title = f"{agent.title}: answer a change of {model.name} by {campaign.due_on}"
        lines = [
            campaign.note or f"{campaign.get_kind_display()} of {model}: {when}.",
            f"{todo}, or say that the agent is adapted.",
        ]
    # Whoever reminds twice on one day is heard once.
    day = f":again:{actor.ref}:{clock.now():%Y-%m-%d}" if again else ""
    tell(
        key=f"{move.public_id}:{campaign.due_on}:{stage}{day}",
        kind="move.due",
        subject=move.ref,
        title=title,
        lines=lines,
        path=f"/campaigns/{campaign.public_id}/moves/{move.public_id}/",
        people=people,
        teams=teams,
        roles=roles,
        urgent=stage <= TO_TEAM,
    )
    note_move(move, Verb.MOVE_REMINDED, actor=actor, facts={"days": left, "stage": stage})


def _receivers(move: Move, stage: int) -> tuple[list[Person], list[Team], list[Role]]:
    agent = move.agent
    people = [agent.owner] if agent.owner.is_active else []
    backup = agent.backup_owner
    if backup is not None and backup.is_active and (stage <= TO_BACKUP or not people):
        people.append(backup)
    teams = [agent.team] if agent.team and (stage <= TO_TEAM or not people) else []
    roles = [] if people or teams else [Role.PLATFORM]
    return people, teams, roles if stage != OVERDUE else [Role.PLATFORM]
