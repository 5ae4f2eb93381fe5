"""The deadline: the rule of each move that nobody finished is carried out, and the model is off.

Vendors name a day and no zone, so it falls due before that day begins anywhere. After it no agent
calls the model: each was moved or is paused, and then the model is disabled, which also takes
those along that were on their way. Owns that an agent that another model serves already stays as
it is, that a rule holds for whoever joins or comes back later, and that owners hear what was done.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

from django.conf import settings
from django.db import transaction
from django.db.models import Q

from fleet.campaigns.actions.adopting import adopt_cutover
from fleet.campaigns.actions.each import take_each
from fleet.campaigns.actions.recording import note_campaign, note_move, turn
from fleet.campaigns.actions.saying import tell_owner
from fleet.campaigns.models import Campaign, Move
from fleet.campaigns.queries.campaigns import falls_due_at
from fleet.campaigns.queries.ruled import Ruled, ruled
from fleet.campaigns.queries.served import served_by
from fleet.cutovers.actions.leaving import leave_waiting
from kernel import clock
from ledger.entries import Fact
from ledger.verbs import Verb
from registry.actors import Actor
from routing.actions.models import disable_model
from routing.actions.shifting import set_shift
from routing.errors import AlreadyDisabled, ShiftRefused
from routing.models import Model

State = Move.State
_WAITING: Final = (State.OPEN, State.CONTESTED, State.EVALUATING, State.READY, State.SIGNING)
PAUSED: Final = "Paused at the deadline, by its rule."
MOVED: Final = "Moved at the deadline, by its rule."
SERVED: Final = "Another model served it already at the deadline."
_REASON: Final = "The deadline of the campaign {campaign}."


def carry_out_rules(*, actor: Actor) -> int:
    """Carry out the rules of every campaign that has fallen due; return how many moves it ended.

    Records: move.ended, shift.set, campaign.changed, model.disabled.
    """
    # A margin is hours, so a day more than it is looked at closely.
    until = clock.now() + timedelta(hours=settings.CAMPAIGN_MARGIN_HOURS)
    # Whoever enables the model again after its deadline has decided that it may be called.
    holds = Q(fell_due_at__isnull=True) | Q(model__disabled_at__isnull=False)
    rows = Campaign.objects.filter(
        holds, state=Campaign.State.OPEN, kind=Campaign.Kind.RETIREMENT, due_on__lte=until.date()
    ).order_by("due_on", "pk")
    ended = 0
    for campaign in rows:
        if falls_due_at(campaign) > clock.now():
            continue
        waiting = Move.objects.filter(campaign=campaign, state__in=_WAITING).order_by("pk")
        keys = list(waiting.values_list("pk", flat=True))
        ended += take_each(keys, lambda key: _carry_out(key, actor), what="a rule")
        if campaign.fell_due_at is None:
            take_each([campaign.pk], lambda key: _switch_off(key, actor), what="a deadline")
    return ended


@transaction.atomic
def _carry_out(move_key: int, actor: Actor) -> bool:
    # The campaign first, as whoever moves its day locks it: of the two one waits, and looks again.
    key = Move.objects.filter(pk=move_key).values("campaign_id")
    rows = Campaign.objects.select_for_update(of=("self",)).select_related("model")
    campaign = rows.get(pk__in=key)
    if not campaign.is_open or falls_due_at(campaign) > clock.now():
        return False
    if campaign.fell_due_at is not None and campaign.model.disabled_at is None:
        return False
    moves = Move.objects.select_for_update(of=("self",)).select_related(
        "campaign__model__vendor", "agent__owner", "agent__backup_owner", "agent__team",
        "agent__current_version", "candidate",
    )  # fmt: skip
    move = moves.get(pk=move_key)
    if move.state not in _WAITING:
        return False
    # What waits for a signature would begin after the day; what has begun goes on.
    leave_waiting(move.agent, campaign.model, why="The deadline has come.", actor=actor)
    if adopt_cutover(move, actor=actor):
        return False
    if (serving := served_by(move.agent, campaign.model)) is not None:
        return _end(move, State.DONE, SERVED, actor, serving)
    return _by_its_rule(move, actor)


def _by_its_rule(move: Move, actor: Actor) -> bool:
    model, found = move.campaign.model, ruled(move)
    why = _REASON.format(campaign=move.campaign.public_id)
    if found.target is not None:
        try:
            with transaction.atomic():
                set_shift([move.agent], model, found.target, percent=100, reason=why, actor=actor,
                          subject=move.ref)  # fmt: skip
        except ShiftRefused as error:
            # What cannot be moved is paused: nothing calls the model either way.
            found = Ruled(why_not=f"it cannot move to {found.target}: {error.detail}")
    if found.target is None:
        set_shift([move.agent], model, None, percent=100, reason=why, actor=actor,
                  subject=move.ref)  # fmt: skip
        ended = _end(move, State.PAUSED, PAUSED, actor, why_not=found.why_not)
    else:
        ended = _end(move, State.DONE, MOVED, actor, found.target)
    if ended:
        _tell(move, found)
    return ended


def _end(
    move: Move, to: State, why: str, actor: Actor, target: Model | None = None, *,
    why_not: str = "",
) -> bool:  # fmt: skip
    now = clock.now()
    change: dict[str, Any] = {"cut_over_at": now}
    if target is not None and move.candidate_id != target.pk:
        change |= {"candidate": target, "chosen_by": str(actor.ref), "chosen_at": now}
    if not turn(move, to, *_WAITING, why=why, **change):
        return False
    facts = {
        "why": "served" if why == SERVED else "deadline",
        "rule": str(move.rule["rule"]),
        "to": target.public_id if target else "",
    }
    note_move(move, Verb.MOVE_ENDED, actor=actor, facts={**facts}, said=why_not)
    return True


def _tell(move: Move, done: Ruled) -> None:
    """Tell the owner what the deadline did, and why where its rule could not be kept."""
    agent, model = move.agent, move.campaign.model
    if done.target is not None:
        what = f"was moved to {done.target.name}"
        lines = [f"Its rule moved it from {model} to {done.target}. Look at what it does there."]
    else:
        what = "is paused"
        kept = f"Its rule could not be kept: {done.why_not}. " if done.why_not else ""
        lines = [
            f"{kept}Its calls to {model} are refused from now on.",
            "The platform team moves it to another model, or lets it go on.",
        ]
    tell_owner(
        move,
        about=f"deadline:{move.ended_at:%Y-%m-%dT%H:%M:%S.%f}",
        title=f"{agent.title} {what}: the deadline of {model.name} has come",
        lines=lines,
    )


@transaction.atomic
def _switch_off(campaign_key: int, actor: Actor) -> bool:
    campaign = (
        Campaign.objects.select_for_update(of=("self",))
        .select_related("model__vendor")
        .get(pk=campaign_key)
    )
    if not campaign.is_open or campaign.fell_due_at or falls_due_at(campaign) > clock.now():
        return False
    if campaign.moves.filter(state__in=_WAITING).exists():
        return False  # somebody joined meanwhile: the next turn is theirs
    campaign.fell_due_at = clock.now()
    campaign.save(update_fields=["fell_due_at"])
    facts: dict[str, Fact] = {"fell_due": True, "due_on": campaign.due_on.isoformat()}
    note_campaign(campaign, Verb.CAMPAIGN_CHANGED, actor=actor, facts=facts)
    try:
        disable_model(
            campaign.model.public_id, actor=actor,
            reason=f"It ends on {campaign.due_on}; campaign {campaign.public_id}.",
        )  # fmt: skip
    except AlreadyDisabled:
        return True
    return True
