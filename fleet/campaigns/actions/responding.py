"""Opening campaigns by themselves for what vendors change besides ends.

An address or API version concerns every model of the vendor that agents call. A price or a rate
limit opens one only above the operator's threshold, once what it comes to was counted; what
becomes cheaper or wider opens none, and what was answered lately is not asked again.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet

from fleet.campaigns.actions.opening import end_campaign, open_campaign
from fleet.campaigns.actions.recording import note_campaign, note_move, turn
from fleet.campaigns.models import Campaign, ConsideredChange, Move
from fleet.campaigns.queries.effects import KINDS, change_note
from fleet.campaigns.queries.impact import exposure_of
from fleet.drift.models import LimitEffect, PriceEffect
from fleet.drift.queries.prices import is_comparable, monthly_differences
from kernel import clock
from kernel.errors import Conflict
from ledger.verbs import Verb
from registry.actors import Actor
from routing.models import LifecycleChange, Model

Outcome = ConsideredChange.Outcome
Kind = LifecycleChange.Kind
HEARD: Final = timedelta(days=7)  # what is older was changed before anybody asked
LATELY: Final = timedelta(days=30)
_AT_A_SWEEP: Final = 50
_MODELS: Final = 200
_TAKEN_BACK: Final = "The vendor has taken it back."


def open_for_changes(*, actor: Actor) -> int:
    """Judge the changes that were not judged yet, and open what they need; return how many opened.

    Records: campaign.opened, campaign.changed, campaign.ended, move.reopened, as it applies.
    """
    fresh = LifecycleChange.objects.filter(
        kind__in=KINDS, considered__isnull=True, seen_at__gte=clock.now() - HEARD
    )
    rows = fresh.select_related("model__vendor", "vendor").order_by("id")[:_AT_A_SWEEP]
    return sum(_consider(change, actor) for change in list(rows))


@transaction.atomic
def _consider(change: LifecycleChange, actor: Actor) -> int:
    rows = LifecycleChange.objects.select_for_update(skip_locked=True)
    if rows.filter(pk=change.pk).first() is None:
        return 0  # somebody else judges it
    if ConsideredChange.objects.filter(change=change).exists() or not _is_counted(change):
        return 0  # what is not counted yet comes with the next turn
    opened = 0
    outcome = Outcome.TAKEN_BACK if _take_back(change, actor) else _weighed(change)
    if outcome is None:
        outcomes = [_open(model, change, actor) for model in _models_of(change)]
        opened = outcomes.count(Outcome.OPENED)
        outcome = max(outcomes, key=list(Outcome).index, default=Outcome.NOBODY)
        outcome = Outcome.OPENED if opened else outcome
    ConsideredChange.objects.create(change=change, outcome=outcome, considered_at=clock.now())
    return opened


def _is_counted(change: LifecycleChange) -> bool:
    if change.kind == Kind.PRICE:
        return PriceEffect.objects.filter(change=change).exists()
    if change.kind == Kind.RATE_LIMIT:
        return LimitEffect.objects.filter(change=change).exists()
    return True


def _weighed(change: LifecycleChange) -> Outcome | None:
    """Say why a change needs no campaign; None where it may need one."""
    if change.kind == Kind.PRICE:
        if not is_comparable(change.before, change.after):
            return Outcome.UNKNOWN
        more = monthly_differences([change]).get(change.pk, 0)
        return Outcome.SMALL if more < settings.CAMPAIGN_PRICE * 10**6 else None
    if change.kind == Kind.RATE_LIMIT:
        if not _is_tighter(change.before, change.after):
            return Outcome.SMALL
        refused = LimitEffect.objects.get(change=change).refused_calls
        return Outcome.SMALL if refused < settings.CAMPAIGN_REFUSED_CALLS else None
    return None


def _is_tighter(before: Mapping[str, Any], after: Mapping[str, Any]) -> bool:
    """Say whether a limit fell that was known; one that becomes known was there before."""
    return any(after[name] < was for name, was in before.items() if was and after.get(name))


def _models_of(change: LifecycleChange) -> list[Model]:
    """Return the models that a change is of and that agents depend on."""
    if change.model is not None:
        models = [change.model]
    else:
        rows = Model.objects.filter(vendor=change.vendor, disabled_at__isnull=True)
        models = list(rows.select_related("vendor").order_by("pk")[:_MODELS])
    exposed = exposure_of(models)
    return [model for model in models if exposed[model.public_id].calling]


def _open(model: Model, change: LifecycleChange, actor: Actor) -> Outcome:
    kind = KINDS[Kind(change.kind)]
    running = Campaign.objects.filter(model=model, state=Campaign.State.OPEN).first()
    if running is not None:
        if running.kind == kind and running.change_id is not None:
            _ask_again(running, change, actor)
        return Outcome.RUNNING
    if _answered(model, change).exists():
        return Outcome.ANSWERED
    due_on = clock.now().date() + timedelta(days=settings.CAMPAIGN_CHANGE_DAYS)
    try:
        with transaction.atomic():
            open_campaign(
                model, due_on=due_on, kind=kind, note=change_note(change), change=change,
                actor=actor,
            )  # fmt: skip
    except Conflict:
        return Outcome.RUNNING
    return Outcome.OPENED


def _answered(model: Model, change: LifecycleChange) -> QuerySet[Campaign]:
    return Campaign.objects.filter(
        model=model, kind=KINDS[Kind(change.kind)], change__after=change.after,
        opened_at__gte=clock.now() - LATELY,
    )  # fmt: skip


def _ask_again(campaign: Campaign, change: LifecycleChange, actor: Actor) -> None:
    """Let a running campaign answer the newer change: who adapted did so to the one before."""
    before = campaign.change.public_id if campaign.change is not None else ""
    campaign.change, campaign.note = change, change_note(change)
    campaign.save(update_fields=["change", "note"])
    facts = {"change_before": before, "change": change.public_id}
    note_campaign(campaign, Verb.CAMPAIGN_CHANGED, actor=actor, facts={**facts})
    adapted = Move.objects.filter(campaign=campaign).exclude(adapted_by="")
    for move in adapted.select_related("agent", "campaign"):
        if turn(move, Move.State.OPEN, Move.State.UNNEEDED, adapted_by="", adapted_why="",
                candidate=None, reminded_days=None):  # fmt: skip
            note_move(move, Verb.MOVE_REOPENED, actor=actor, facts={"why": "changed_again"})


def _take_back(change: LifecycleChange, actor: Actor) -> bool:
    """End what was opened for a change that this one takes back; say whether there was any."""
    of_it = Campaign.objects.filter(
        state=Campaign.State.OPEN, kind=KINDS[Kind(change.kind)], change__before=change.after,
        change__after=change.before, change__vendor=change.vendor, change__model=change.model,
    )  # fmt: skip
    rows = list(of_it.select_for_update(of=("self",)).order_by("pk"))
    for campaign in rows:
        end_campaign(campaign, Campaign.State.UNNEEDED, why=_TAKEN_BACK, actor=actor)
    return bool(rows)
