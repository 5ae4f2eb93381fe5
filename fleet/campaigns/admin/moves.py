"""The list of moves, and the steps that are taken with those chosen in it."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse

from fleet.campaigns.actions.bulk_moves import OF, STEPS
from fleet.campaigns.models import Move
from fleet.retiring.actions.batches import MOST, open_batch
from kernel.admin import BulkAction, GovernedAdmin, offer_in_bulk
from kernel.errors import DomainError
from registry.authentication import actor_of
from registry.portal import sentence


@admin.register(Move)
class MoveAdmin(GovernedAdmin):
    """One agent's way off a model."""

    list_display: ClassVar[list[str]] = [
        "public_id", "agent", "campaign", "state", "candidate", "calls", "cost_micros", "ended_at",
    ]  # fmt: skip
    list_filter: ClassVar[list[str]] = ["state", "campaign__state", "campaign"]
    list_select_related = ("agent", "campaign__model__vendor", "candidate__vendor")
    search_fields: ClassVar[list[str]] = [
        "public_id", "agent__name", "agent__title", "agent__owner__email",
        "campaign__model__name", "candidate__name",
    ]  # fmt: skip
    ordering = ("-id",)


def _choosing(step: str) -> BulkAction:
    def choose(model_admin: Any, request: HttpRequest, rows: Any) -> HttpResponse | None:
        moves = list(rows.select_related("agent", "campaign").order_by("agent__name")[: MOST + 1])
        if (campaign := _one(request, moves)) is None:
            return None
        try:
            batch = open_batch(
                step, [move.agent for move in moves], actor=actor_of(request),
                asked={"campaign": campaign},
            )  # fmt: skip
        except DomainError as error:
            messages.error(request, sentence(error))
            return None
        return redirect("admin:retiring_batch_change", batch.pk)

    return choose


def _begin(model_admin: Any, request: HttpRequest, rows: Any) -> HttpResponse | None:
    """Lead to the page on which those that are ready are signed and moved as one cutover."""
    campaign = _one(request, list(rows.select_related("campaign")[: MOST + 1]))
    if campaign is None:
        return None
    messages.info(request, "Mark all that fit the filter, and choose Sign and move.")
    return redirect(f"{reverse('campaigns:campaign', args=[campaign])}?state=ready")


def _one(request: HttpRequest, moves: list[Move]) -> str | None:
    named = {move.campaign.public_id for move in moves}
    if len(named) == 1:
        return named.pop()
    messages.error(request, "Choose moves of one campaign: narrow the list to it first.")
    return None


for _step in STEPS:
    offer_in_bulk(OF, _step.name, f"{_step.title} …", _choosing(_step.name))
offer_in_bulk(OF, "move_begin", "Sign and move …", _begin)
