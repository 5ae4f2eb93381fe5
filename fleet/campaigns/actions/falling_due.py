"""The deadline: the rule of each move that nobody finished is carried out, and the model is off.

Vendors name a day and no zone, so it falls due before that day begins anywhere. After it no agent
calls the model: each was moved or is paused, and then the model is disabled, which also takes
those along that were on their way.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

from django.conf import settings
from django.db import transaction

from fleet.campaigns.actions.recording import note_campaign, note_move, turn
from fleet.campaigns.models import Campaign, Move
from fleet.campaigns.queries.campaigns import falls_due_at
from fleet.campaigns.queries.candidates import candidate_of
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
_REASON: Final = "The deadline of the campaign {campaign}."


def carry_out_rules(*, actor: Actor) -> int:
    """Carry out the rules of every campaign that has fallen due; return how many moves it ended.

    Records: move.ended, shift.set, campaign.changed, model.disabled.
    """
    # A margin is hours, so a day more than it is looked at closely.
    until = clock.now() + timedelta(hours=settings.CAMPAIGN_MARGIN_HOURS)
    rows = Campaign.objects.filter(
        state=Campaign.State.OPEN, kind=Campaign.Kind.RETIREMENT, fell_due_at__isnull=True,
        due_on__lte=until.date(),
    ).select_related("model__vendor")  # fmt: skip
    ended = 0
    for campaign in rows:
        if falls_due_at(campaign) <= clock.now():
            waiting = Move.objects.filter(campaign=campaign, state__in=_WAITING)
            for key in list(waiting.order_by("pk").values_list("pk", flat=True)):
                ended += _carry_out(key, actor)
            _switch_off(campaign.pk, actor)
    return ended


@transaction.atomic
def _carry_out(move_key: int, actor: Actor) -> bool:
    # The campaign first, as whoever moves its day locks it: of the two one waits, and looks again.
    key = Move.objects.filter(pk=move_key).values("campaign_id")
    campaign = Campaign.objects.select_for_update().select_related(None).get(pk__in=key)
    if not campaign.is_open or falls_due_at(campaign) > clock.now():
        return False
    rows = Move.objects.select_for_update(of=("self",)).select_related(
        "campaign__model__vendor", "agent__owner", "agent__team", "agent__current_version",
        "candidate",
    )  # fmt: skip
    move = rows.get(pk=move_key)
    if move.state not in _WAITING:
        return False
    target = _target(move)
    why = _REASON.format(campaign=campaign.public_id)
    if target is not None:
        try:
            with transaction.atomic():
                set_shift([move.agent], move.campaign.model, target, percent=100, reason=why,
                          actor=actor, subject=move.ref)  # fmt: skip
        except ShiftRefused:
            target = None  # what cannot be moved is paused: nothing calls the model either way
    if target is None:
        set_shift([move.agent], move.campaign.model, None, percent=100, reason=why, actor=actor,
                  subject=move.ref)  # fmt: skip
        return _end(move, State.PAUSED, PAUSED, actor)
    return _end(move, State.DONE, MOVED, actor, target)


def _end(move: Move, to: State, why: str, actor: Actor, target: Model | None = None) -> bool:
    now = clock.now()
    change: dict[str, Any] = {"cut_over_at": now}
    if target is not None and move.candidate_id != target.pk:
        change |= {"candidate": target, "chosen_by": str(actor.ref), "chosen_at": now}
    if not turn(move, to, *_WAITING, why=why, **change):
        return False
    facts = {
        "why": "deadline",
        "rule": str(move.rule["rule"]),
        "to": target.public_id if target else "",
    }
    note_move(move, Verb.MOVE_ENDED, actor=actor, facts={**facts})
    return True


def _target(move: Move) -> Model | None:
    """Return where the rule moves to; None where it pauses, or that model cannot serve now."""
    rule = move.rule
    if rule["rule"] != "move":
        return None
    model = Model.objects.select_related("vendor").filter(public_id=rule["to"]).first()
    if model is None or candidate_of(move, model).is_refused:
        return None
    return model


@transaction.atomic
def _switch_off(campaign_key: int, actor: Actor) -> None:
    campaign = (
        Campaign.objects.select_for_update(of=("self",))
        .select_related("model__vendor")
        .get(pk=campaign_key)
    )
    if not campaign.is_open or campaign.fell_due_at or falls_due_at(campaign) > clock.now():
        return
    if campaign.moves.filter(state__in=_WAITING).exists():
        return  # somebody joined meanwhile: the next turn is theirs
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
        return
