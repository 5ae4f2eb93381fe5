"""Opening campaigns, by hand and for what ends; changing and ending them.

One is open for a model. Whether one is needed is asked of what holds now, never of what was heard.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any, Final

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet, Subquery

from fleet.campaigns.actions.each import take_each
from fleet.campaigns.actions.joining import add_moves
from fleet.campaigns.actions.recording import note_campaign, note_move, turn
from fleet.campaigns.actions.ruling import checked_rule
from fleet.campaigns.errors import (
    CampaignOpen,
    CampaignOver,
    CampaignUnusable,
    FallbackUnusable,
)
from fleet.campaigns.models import OVER, PAUSE, Campaign, Move
from fleet.campaigns.queries.campaigns import falls_due_on
from fleet.campaigns.queries.deadlines import GRACE_DAYS, due_day
from fleet.campaigns.queries.impact import exposure_of
from fleet.cutovers.actions.leaving import leave_waiting
from fleet.telling.actions.telling import tell
from kernel import clock
from kernel.canonical import canonical, digest
from kernel.db import refused_as
from kernel.errors import Conflict
from kernel.refs import new_id
from ledger.entries import Fact
from ledger.verbs import Verb
from registry.actors import Actor
from registry.models import Role
from routing.models import LifecycleChange, Model, ModelUse
from routing.queries.fate import fate_of

State = Campaign.State
_LONGEST: Final = 2000
_SETTLED: Final = ("Every agent has moved or is paused.", "Every agent has adapted or moved.")
_UNTOUCHED: Final = "No agent needs it any more."
_ENDS: Final = "The model ends: the campaign of its retirement takes this one's place."
NOTICE: Final = timedelta(days=1)  # before anything is carried out for a day set by hand
_ENDED: Final = "The campaign has ended."


@transaction.atomic
def open_campaign(  # noqa: PLR0913  one campaign, said in one call with named parts
    model: Model,
    *,
    due_on: date,
    kind: str = Campaign.Kind.RETIREMENT,
    note: str = "",
    fallback: Mapping[str, Any] | None = None,
    change: LifecycleChange | None = None,
    actor: Actor,
) -> Campaign:
    """Open a campaign for a model, with a move for every agent that touches it.

    Records: campaign.opened. Raises: RoleMissing, CampaignOpen, CampaignUnusable.
    """
    actor.require(Role.PLATFORM)
    now, fate = clock.now(), fate_of(model)
    _check_day(due_on, kind, actor)
    if len(note) > _LONGEST or "\x00" in note:
        raise CampaignUnusable(f"A note has at most {_LONGEST} characters.", field="note")
    is_dated = (
        kind == Campaign.Kind.RETIREMENT
        and fate.retires_on is not None
        and due_on in (fate.retires_on, due_day(fate.retires_on))
    )
    rule = checked_rule(fallback or PAUSE, None, actor)
    taken = CampaignOpen(f"A campaign is open for {model} already: change that one.")
    with refused_as({"campaigns_campaign_one_open_per_model": taken}):
        campaign = Campaign.objects.create(
            public_id=new_id("cmp"),
            model=model,
            kind=kind,
            due_on=due_on,
            date_precision=fate.date_precision if is_dated else "",
            replacement=", ".join(fate.replacements),
            source=fate.source if is_dated else "",
            as_of=fate.as_of if is_dated else "",
            note=note.strip(),
            change=change,
            fallback=rule,
            opened_by=str(actor.ref),
            opened_at=now,
            looked_at=now,
        )
    agents = sorted(add_moves(campaign))
    facts: dict[str, Fact] = {
        "vendor": model.vendor.name, "model": model.name, "kind": str(kind),
        "due_on": due_on.isoformat(), "source": campaign.source, "agents": len(agents),
        "named": digest(agents), "rule": str(campaign.fallback["rule"]),
    }  # fmt: skip
    if change is not None:
        facts["change"] = change.public_id
    payload = canonical({"agents": agents, "note": campaign.note})
    note_campaign(campaign, Verb.CAMPAIGN_OPENED, actor=actor, facts=facts, payload=payload)
    return campaign


def open_due(*, actor: Actor) -> int:
    """Open a campaign for each model in use that ends within the horizon and has none.

    One whose day has passed has one as soon as an agent calls it after that day.
    Records: campaign.opened, for each. One that somebody else opens meanwhile is theirs.
    """
    ending = [*_ending(), *_overdue()]
    exposed = exposure_of(ending)
    models = {model.pk: model for model in ending if exposed[model.public_id].agents}
    return take_each(models, lambda key: _open_for(models[key], actor), what="a model that ends")


def _open_for(model: Model, actor: Actor) -> bool:
    if model.retires_on is None or not _give_way(model, actor):
        return False
    try:
        open_campaign(model, due_on=due_day(model.retires_on), actor=actor)
    except Conflict:
        return False
    return True


@transaction.atomic
def _give_way(model: Model, actor: Actor) -> bool:
    """End what is open for another change of a model that ends; False while moves are under way.

    The end is what must be answered, and one campaign is open for a model.
    """
    rows = Campaign.objects.select_for_update().filter(model=model, state=State.OPEN)
    campaign = rows.first()
    if campaign is None:
        return True
    if campaign.moves.filter(state__in=(Move.State.SIGNING, Move.State.SHIFTING)).exists():
        return False
    end_campaign(campaign, State.UNNEEDED, why=_ENDS, actor=actor)
    return True


def _check_day(due_on: date, kind: str, actor: Actor) -> None:
    """Refuse a day that is over, or whose rules would be carried out before anybody has heard."""
    now = clock.now()
    if due_on < now.date():
        raise CampaignUnusable("The day lies behind us: name today or later.", field="due_on")
    if actor.ref.kind == "system":
        return  # its day is `due_day`'s
    if kind == Campaign.Kind.RETIREMENT and falls_due_on(due_on) < now + NOTICE:
        soonest = due_on
        while falls_due_on(soonest) < now + NOTICE:
            soonest += timedelta(days=1)
        raise CampaignUnusable(
            f"Agents would be paused {settings.CAMPAIGN_MARGIN_HOURS} hours before that day begins"
            f" in UTC, within a day from now: name {soonest} or later. What has to stop at once is"
            " paused, or its model disabled, by hand.",
            field="due_on",
        )


def _ending() -> list[Model]:
    today = clock.now().date()
    until = today + timedelta(days=settings.CAMPAIGN_HORIZON_DAYS)
    known = Campaign.objects.filter(
        # Of a day that was heard of late, with the days that were left to its agents.
        Q(due_on__lte=OuterRef("retires_on") + timedelta(days=GRACE_DAYS)),
        model=OuterRef("pk"), kind=Campaign.Kind.RETIREMENT, due_on__gte=OuterRef("retires_on"),
    )  # fmt: skip
    return list(_without(known).filter(retires_on__range=(today, until)))


def _overdue() -> list[Model]:
    """Return models whose day has passed and that were called since, also since their campaign."""
    # Who ended one after the day knew what they did.
    refused = Campaign.objects.filter(
        model=OuterRef("pk"), state=State.UNNEEDED, ended_at__date__gte=OuterRef("retires_on")
    )
    called = ModelUse.objects.filter(
        vendor=OuterRef("vendor__name"), model=OuterRef("name"),
        last_called_at__date__gt=OuterRef("retires_on"),
    )  # fmt: skip
    last = Campaign.objects.filter(model=OuterRef("pk")).order_by("-ended_at")
    rows = _without(refused).filter(Exists(called), retires_on__lt=clock.now().date())
    return list(
        rows.annotate(ended=Subquery(last.values("ended_at")[:1])).filter(
            Q(ended__isnull=True)
            | Exists(called.filter(last_called_at__gt=OuterRef("ended")))
        )
    )  # fmt: skip


def _without(known: QuerySet[Campaign]) -> QuerySet[Model]:
    # One that a sweep opened for a price or an address gives way; what people opened stands.
    anything = Campaign.objects.filter(
        Q(kind=Campaign.Kind.RETIREMENT) | Q(change__isnull=True),
        model=OuterRef("pk"), state=State.OPEN,
    )  # fmt: skip
    rows = Model.objects.filter(~Exists(known), ~Exists(anything), disabled_at__isnull=True)
    return rows.select_related("vendor").order_by("retires_on", "pk")


def say_reminders_again(campaign: Campaign) -> None:
    """Say the reminders of a new day anew; what they were sent for is another day.

    Records: nothing; that the day has moved is on record.
    """
    Move.objects.filter(campaign=campaign, ended_at__isnull=True).update(reminded_days=None)


@transaction.atomic
def change_campaign(
    campaign: Campaign,
    *,
    due_on: date | None = None,
    fallback: Mapping[str, Any] | None = None,
    actor: Actor,
) -> Campaign:
    """Change the day of a campaign that no source dates, or the rule for moves without one.

    Records: campaign.changed. Raises: RoleMissing, CampaignOver, CampaignUnusable,
    FallbackUnusable.
    """
    actor.require(Role.PLATFORM)
    row = _open(campaign)
    facts: dict[str, Fact] = {}
    if due_on is not None and due_on != row.due_on:
        if row.source:
            raise CampaignUnusable(
                "Its day is the model's: set that by hand, with a reason, on the model's page.",
                field="due_on",
            )
        _check_day(due_on, row.kind, actor)
        facts |= {"due_on_before": row.due_on.isoformat(), "due_on": due_on.isoformat()}
        row.due_on = due_on
        say_reminders_again(row)
    if fallback is not None and dict(fallback) != row.fallback:
        rule = checked_rule(fallback, None, actor)
        if rule.get("to") == row.model.public_id:
            raise FallbackUnusable("It is the model that ends.", field="fallback")
        facts |= {"rule_before": _rule(row.fallback), "rule": _rule(rule)}
        row.fallback = rule
    if facts:
        row.save(update_fields=["due_on", "fallback"])
        note_campaign(row, Verb.CAMPAIGN_CHANGED, actor=actor, facts=facts)
    return row


@transaction.atomic
def close_campaign(campaign: Campaign, *, why: str, actor: Actor) -> Campaign:
    """End a campaign that is not needed; moves that are not over become unneeded.

    Records: campaign.ended, move.ended. Raises: RoleMissing, CampaignOver, CampaignUnusable.
    """
    actor.require(Role.PLATFORM)
    if not why.strip() or len(why) > _LONGEST or "\x00" in why:
        raise CampaignUnusable("Say why it is not needed.", field="why")
    end_campaign(row := _open(campaign), State.UNNEEDED, why=why.strip(), actor=actor)
    return row


def end_campaign(campaign: Campaign, state: str, *, why: str, actor: Actor) -> None:
    """End a locked campaign, what is left of its moves, and their waiting cutovers.

    Records: campaign.ended, move.ended, cutover.left, cutover.cancelled.
    """
    rows = Move.objects.filter(campaign=campaign).exclude(state__in=OVER)
    for move in rows.select_related("agent", "campaign__model"):
        leaving = [each for each in Move.State if each not in OVER]
        if turn(move, Move.State.UNNEEDED, *leaving, why=_ENDED):
            # What has begun goes on by itself; what waits for a signature waits for nothing now.
            leave_waiting(move.agent, move.campaign.model, why=_ENDED, actor=actor)
            note_move(move, Verb.MOVE_ENDED, actor=actor, facts={"why": "campaign_ended"})
    _tell_of_paused(campaign)
    campaign.state, campaign.ended_at, campaign.ended_why = state, clock.now(), why
    campaign.save(update_fields=["state", "ended_at", "ended_why"])
    is_ours = actor.ref.kind == "system"
    note_campaign(
        campaign, Verb.CAMPAIGN_ENDED, actor=actor,
        facts={"state": state, "why": why if is_ours else "said"},
        payload=None if is_ours else why.encode(),
    )  # fmt: skip


def _tell_of_paused(campaign: Campaign) -> None:
    """Tell the platform team whom it paused and nobody asks about any more; the pauses stay."""
    rows = Move.objects.filter(campaign=campaign, state=Move.State.PAUSED)
    named = list(rows.order_by("agent__name").values_list("agent__name", flat=True)[:21])
    if not named or campaign.fell_due_at is not None:
        return
    tell(
        key=f"{campaign.public_id}:paused:{clock.now():%Y-%m-%dT%H:%M:%S}",
        kind="move.changed",
        subject=campaign.ref,
        title=f"Still paused: the campaign of {campaign.model.name} has ended",
        lines=[", ".join(named[:20]) + (" and others" if len(named) > 20 else ""),
               "What people paused stays so until the platform team resumes it."],
        path=f"/campaigns/{campaign.public_id}/?state=paused",
        roles=[Role.PLATFORM],
    )  # fmt: skip


def end_settled(*, actor: Actor) -> int:
    """End the campaigns of which every move is over; return how many. Records: campaign.ended.

    That of a retirement stays open until its model is off: whoever ended it before would leave
    a model that still answers, and nobody to switch it off.
    """
    is_off = ~Q(kind=Campaign.Kind.RETIREMENT) | Q(fell_due_at__isnull=False)
    # Who begins after everybody has answered a change begins with what it is now.
    is_time = Q(due_on__lte=clock.now().date()) | Q(change__isnull=False)
    left = Move.objects.filter(campaign=OuterRef("pk"), ended_at__isnull=True)
    some = Exists(Move.objects.filter(campaign=OuterRef("pk")))
    rows = Campaign.objects.filter(
        ~Exists(left), some | Q(due_on__lte=clock.now().date()), is_off, is_time, state=State.OPEN
    ).order_by("pk")
    keys = list(rows.values_list("pk", flat=True))
    return take_each(keys, lambda key: _end_settled(key, actor), what="a campaign that is over")


@transaction.atomic
def _end_settled(campaign_key: int, actor: Actor) -> bool:
    rows = Campaign.objects.select_for_update(skip_locked=True, of=("self",))
    campaign = rows.filter(pk=campaign_key, state=State.OPEN).first()
    if campaign is None or campaign.moves.filter(ended_at__isnull=True).exists():
        return False
    answered = Q(state__in=("done", "paused")) | ~Q(adapted_by="")
    why = _SETTLED[campaign.kind != "retirement"]
    if not campaign.moves.filter(answered).exists():
        why = _UNTOUCHED
    end_campaign(campaign, State.DONE, why=why, actor=actor)
    return True


def _open(campaign: Campaign) -> Campaign:
    row = Campaign.objects.select_for_update().get(pk=campaign.pk)
    if not row.is_open:
        raise CampaignOver(row.ended_why, state=row.state)
    return row


def _rule(fallback: Mapping[str, Any]) -> str:
    return f"{fallback['rule']} {fallback.get('to', '')}".strip()
