"""Keeping campaigns in step with what holds for their models.

What holds for a model's end is compared with what its campaign says, so a change is followed
whoever made it, also when the worker was down: nothing has to be heard of in order. What a
deadline did is undone where the day turns out to lie ahead.
"""

from __future__ import annotations

from datetime import date
from typing import Final

from django.db import transaction
from django.db.models import Exists, F, OuterRef, Q

from fleet.campaigns.actions.each import take_each
from fleet.campaigns.actions.opening import end_campaign, say_reminders_again
from fleet.campaigns.actions.recording import note_campaign, note_move, turn
from fleet.campaigns.actions.resuming import undo_deadline
from fleet.campaigns.actions.saying import tell_owner
from fleet.campaigns.models import Campaign, Move
from fleet.campaigns.queries.campaigns import falls_due_at
from fleet.campaigns.queries.deadlines import due_day
from kernel import clock
from ledger.entries import Fact
from ledger.verbs import Verb
from registry.actors import Actor
from routing.queries.fate import Fate, fate_of

State = Campaign.State
RETIRED: Final = "retired"
_TAKEN_BACK: Final = "The vendor has taken its end back: no source names a day any more."
_FIELDS: Final = ("due_on", "replacement", "source", "as_of", "date_precision")


def follow_changes(*, actor: Actor) -> int:
    """Bring campaigns in step with what holds for their models; return how many changed.

    Records: campaign.changed, campaign.ended, move.reopened, move.ended, as it applies.
    """
    rows = Campaign.objects.filter(state=State.OPEN, kind=Campaign.Kind.RETIREMENT)
    keys = list(rows.order_by("pk").values_list("pk", flat=True))
    changed = take_each(keys, lambda key: _follow(key, actor), what="a change")
    return changed + _bring_back(actor)


@transaction.atomic
def _follow(campaign_key: int, actor: Actor) -> bool:
    rows = Campaign.objects.select_for_update(skip_locked=True, of=("self",))
    campaign = (
        rows.filter(pk=campaign_key, state=State.OPEN).select_related("model__vendor").first()
    )
    # Opened by hand for a day that no source gives, it is nobody's but theirs to move.
    if campaign is None or not campaign.source:
        return False
    return _brought(campaign, fate_of(campaign.model), actor)


def _brought(campaign: Campaign, fate: Fate, actor: Actor) -> bool:
    if fate.retires_on is None:
        if fate.standing == RETIRED:
            return False  # it is over; that nobody names the day any more takes nothing back
        if campaign.fell_due_at is not None:
            undo_deadline(campaign, why="its end was taken back", actor=actor)
        end_campaign(campaign, State.UNNEEDED, why=_TAKEN_BACK, actor=actor)
        return True
    due_on, replacement = _due_on(campaign, fate.retires_on), ", ".join(fate.replacements)
    before = {"due_on": campaign.due_on.isoformat(), "replacement": campaign.replacement}
    after = {"due_on": due_on.isoformat(), "replacement": replacement}
    if before == after:
        return False
    moved = campaign.due_on != due_on
    campaign.due_on, campaign.replacement = due_on, replacement
    campaign.source, campaign.as_of = fate.source, fate.as_of
    campaign.date_precision = fate.date_precision
    campaign.save(update_fields=_FIELDS)
    facts: dict[str, Fact] = {f"{name}_before": value for name, value in before.items()}
    facts |= {**after, "source": fate.source}
    note_campaign(campaign, Verb.CAMPAIGN_CHANGED, actor=actor, facts=facts)
    if moved:
        say_reminders_again(campaign)
        if campaign.fell_due_at is not None and falls_due_at(campaign) > clock.now():
            undo_deadline(campaign, why=f"its day is {due_on} now", actor=actor)
    if before["replacement"] != replacement:
        _choose_again(campaign, before["replacement"], actor)
    return True


def _choose_again(campaign: Campaign, before: str, actor: Actor) -> None:
    """Ask again whoever chose what the vendor named and names no longer, and tell them so."""
    named = {name.strip() for name in before.split(",") if name.strip()}
    named -= {name.strip() for name in campaign.replacement.split(",")}
    chosen = Move.objects.filter(campaign=campaign, candidate__name__in=named)
    for move in chosen.filter(ended_at__isnull=True).select_related(
        "agent__owner", "agent__backup_owner", "campaign__model__vendor", "candidate"
    ):
        was = move.candidate.name if move.candidate else ""
        waiting = (Move.State.OPEN, Move.State.EVALUATING, Move.State.READY)
        asked = turn(move, Move.State.OPEN, *waiting, candidate=None, evaluation_id="")
        if asked:
            facts: dict[str, Fact] = {"why": "replacement_changed", "was": was}
            note_move(move, Verb.MOVE_REOPENED, actor=actor, facts=facts)
        now = campaign.replacement or "nothing"
        tell_owner(
            move,
            about=f"replaced:{campaign.replacement}",
            title=f"{move.agent.title}: {was} is no longer the replacement",
            lines=[
                f"For {campaign.model} the vendor names {now} instead of {was}.",
                "Choose again: the candidates are ranked anew."
                if asked
                else "Its move is under way and goes on; roll it back if you want another model.",
            ],
        )


def _bring_back(actor: Actor) -> int:
    """Open again the campaigns whose deadline was carried out for a day that no longer holds."""
    others = Campaign.objects.filter(model=OuterRef("model"))
    later = others.filter(Q(state=State.OPEN) | Q(pk__gt=OuterRef("pk")))
    moved = Q(model__retires_on__gt=F("due_on")) & Q(model__retires_on__gt=_today())
    rows = Campaign.objects.filter(
        ~Exists(later), Q(model__retires_on__isnull=True) | moved,
        state=State.DONE, kind=Campaign.Kind.RETIREMENT, fell_due_at__isnull=False,
    ).exclude(source="")  # fmt: skip
    keys = list(rows.order_by("pk").values_list("pk", flat=True))
    return take_each(keys, lambda key: _brought_back(key, actor), what="a campaign to open again")


@transaction.atomic
def _brought_back(campaign_key: int, actor: Actor) -> bool:
    rows = Campaign.objects.select_for_update(skip_locked=True, of=("self",))
    campaign = (
        rows.filter(pk=campaign_key, state=State.DONE).select_related("model__vendor").first()
    )
    if campaign is None or (fate := fate_of(campaign.model)).standing == RETIRED:
        return False
    campaign.state, campaign.ended_at, campaign.ended_why = State.OPEN, None, ""
    campaign.save(update_fields=["state", "ended_at", "ended_why"])
    return _brought(campaign, fate, actor)


def _due_on(campaign: Campaign, ends: date) -> date:
    due_on = due_day(ends, campaign.due_on)
    if campaign.fell_due_at is None and not campaign.moves.filter(ended_at=None).exists():
        return min(due_on, max(ends, _today()))  # nobody waits who needs the days
    return due_on


def _today() -> date:
    return clock.now().date()
