"""The list of campaigns, and the steps that are taken with those chosen in it.

A step shows what would become of each campaign first; only the form of that page carries it out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, ClassVar, Final

from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse

from fleet.campaigns.actions.bulk_moves import model_named
from fleet.campaigns.actions.opening import change_campaign, close_campaign
from fleet.campaigns.actions.reminding import remind_now
from fleet.campaigns.errors import CampaignUnusable
from fleet.campaigns.models import PAUSE, Campaign
from fleet.campaigns.queries.campaigns import moves_for
from kernel.admin import BulkAction, GovernedAdmin, offer_in_bulk
from kernel.errors import DomainError
from registry.actors import Actor
from registry.authentication import actor_of
from registry.portal import sentence

OF: Final = "campaigns.campaign"
MOST: Final = 200
Said = Mapping[str, str]


@admin.register(Campaign)
class CampaignAdmin(GovernedAdmin):
    """The answer to one change of one model."""

    list_display: ClassVar[list[str]] = [
        "public_id", "model", "kind", "state", "due_on", "replacement", "opened_at", "ended_at",
    ]  # fmt: skip
    list_filter: ClassVar[list[str]] = ["state", "kind", "model__vendor"]
    list_select_related = ("model__vendor",)
    search_fields: ClassVar[list[str]] = [
        "public_id", "model__name", "model__vendor__name", "replacement",
    ]  # fmt: skip
    ordering = ("-id",)


@dataclass(frozen=True, slots=True)
class Step:
    """One step: its words, the one thing that it asks for, and how it is taken."""

    name: str
    title: str
    what: str
    refuses: Callable[[Campaign], str]
    take: Callable[[Campaign, Said, Actor], object]
    label: str = ""
    kind: str = "text"


def _over(row: Campaign) -> str:
    return "" if row.is_open else "it has ended"


def _dated(row: Campaign) -> str:
    return _over(row) or ("its day is the model's: set that by hand" if row.source else "")


def _close(row: Campaign, said: Said, actor: Actor) -> object:
    return close_campaign(row, why=said.get("given", ""), actor=actor)


def _remind(row: Campaign, said: Said, actor: Actor) -> object:
    return remind_now(row, list(moves_for(actor, row)), actor=actor)


def _rule(row: Campaign, said: Said, actor: Actor) -> object:
    to = said.get("given", "").strip()
    rule = {"rule": "move", "to": model_named(to).public_id} if to else PAUSE
    return change_campaign(row, fallback=rule, actor=actor)


def _day(row: Campaign, said: Said, actor: Actor) -> object:
    try:
        day = date.fromisoformat(said.get("given", ""))
    except ValueError:
        raise CampaignUnusable("Write the day as YYYY-MM-DD.", field="due_on") from None
    return change_campaign(row, due_on=day, actor=actor)


STEPS: Final = (
    Step("campaign_remind", "Remind owners",
         "Whoever has something to do for a move is told so now.", _over, _remind),
    Step("campaign_rule", "Set the rule of the deadline",
         "It holds for moves without a rule of their own.", _over, _rule,
         "Move to vendor/name; empty: pause"),
    Step("campaign_day", "Set the day",
         "Only of campaigns that no source dates. Reminders begin anew.", _dated, _day,
         "By", "date"),
    Step("campaign_close", "End as not needed",
         "Moves that are not over become unneeded. Nothing is paused or moved.", _over, _close,
         "Why they are not needed"),
)  # fmt: skip


def _taking(step: Step) -> BulkAction:
    def act(model_admin: Any, request: HttpRequest, rows: Any) -> HttpResponse | None:
        chosen = list(rows.select_related("model__vendor").order_by("due_on", "pk")[:MOST])
        taken = [row for row in chosen if not step.refuses(row)]
        if request.POST.get("sure") == "yes":
            _carry_out(request, step, taken)
            return None
        context = model_admin.admin_site.each_context(request) | {
            "title": step.title,
            "opts": model_admin.model._meta,
            "step": step,
            "lines": [(row, step.refuses(row), row.moves.count()) for row in chosen],
            "count": len(taken),
        }
        return TemplateResponse(request, "campaigns/admin_step.html", context)

    return act


def _carry_out(request: HttpRequest, step: Step, rows: list[Campaign]) -> None:
    done, actor = 0, actor_of(request)
    for row in rows:
        try:
            step.take(row, request.POST.dict(), actor)
            done += 1
        except DomainError as error:
            messages.error(request, f"{row}: {sentence(error)}")
    messages.success(request, f"{step.title}: done for {done} of {len(rows)}.")


for _step in STEPS:
    offer_in_bulk(OF, _step.name, f"{_step.title} …", _taking(_step))
