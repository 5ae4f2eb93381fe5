"""Cutovers in the admin: looked through, and steered by buttons that say what they will do."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib import admin

from fleet.cutovers.actions.going_back import roll_back
from fleet.cutovers.actions.moving import advance_now, cancel_cutover, pause_cutover, resume_cutover
from fleet.cutovers.models import Cutover, CutoverAgent, CutoverEvent
from kernel.admin import GovernedAdmin, GovernedInline
from registry.actors import Actor
from registry.buttons import Step, button


def _advance(cutover: Cutover, actor: Actor, reason: str) -> object:
    return advance_now(cutover.public_id, actor=actor, reason=reason)


def _pause(cutover: Cutover, actor: Actor, reason: str) -> object:
    return pause_cutover(cutover.public_id, actor=actor, reason=reason)


def _resume(cutover: Cutover, actor: Actor, _: str) -> object:
    return resume_cutover(cutover.public_id, actor=actor)


def _back(cutover: Cutover, actor: Actor, reason: str) -> object:
    return roll_back(cutover.public_id, actor=actor, reason=reason)


def _cancel(cutover: Cutover, actor: Actor, reason: str) -> object:
    return cancel_cutover(cutover.public_id, actor=actor, reason=reason)


class StoryInline(GovernedInline):
    """What happened."""

    model = CutoverEvent
    fields: ClassVar[list[str]] = ["at", "kind", "actor", "agent", "text"]


@admin.register(Cutover)
class CutoverAdmin(GovernedAdmin):
    """Agents on their way from one model to another."""

    list_display: ClassVar[list[str]] = [
        "public_id", "source", "target", "state", "percent", "held_because", "begun_at", "ended_at",
    ]  # fmt: skip
    list_filter: ClassVar[list[str]] = ["state", "needs_security"]
    list_select_related = ("source__vendor", "target__vendor")
    search_fields: ClassVar[list[str]] = ["public_id", "source__name", "target__name", "subject"]
    ordering = ("-begun_at",)
    inlines: ClassVar[list[Any]] = [StoryInline]
    actions_detail: ClassVar[list[Any]] = ["advance", "pause", "resume", "cancel", "back"]

    advance = button(
        Step("advance", "Next step now", "A larger share of runs goes to the target.", _advance)
    )
    pause = button(
        Step("pause", "Pause", "It stays at its step, and is still rolled back where it has to.",
             _pause)
    )  # fmt: skip
    resume = button(
        Step("resume", "Go on", "The time of its step begins anew.", _resume, asks_why=False)
    )
    cancel = button(Step("cancel", "Cancel", "It ends before anything has moved.", _cancel))
    back = button(
        Step("back", "Roll back now", "The next call of each agent is served by the source again.",
             _back, is_dangerous=True)
    )  # fmt: skip


@admin.register(CutoverAgent)
class CutoverAgentAdmin(GovernedAdmin):
    """One agent on its way; a cutover has up to two thousand of them."""

    list_display: ClassVar[list[str]] = [
        "agent", "cutover", "state", "has_passed", "signed_by", "signed_at", "why", "changed_at",
    ]  # fmt: skip
    list_filter: ClassVar[list[str]] = ["state", "cutover__state"]
    list_select_related = ("agent", "cutover", "signed_by")
    search_fields: ClassVar[list[str]] = ["agent__name", "cutover__public_id", "signed_by__email"]
    ordering = ("-id",)
