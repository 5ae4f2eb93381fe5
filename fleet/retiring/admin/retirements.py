"""Retirements in the admin: to look things up; a plan is made and cancelled by its action."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib import admin

from fleet.retiring.models import Retirement, Step
from kernel.admin import GovernedAdmin, GovernedInline


class StepInline(GovernedInline):
    """The steps of the retirement shown."""

    model = Step
    fields: ClassVar[list[str]] = ["name", "done_at", "count", "detail"]
    ordering = ("place",)


@admin.register(Retirement)
class RetirementAdmin(GovernedAdmin):
    """The end of one agent."""

    list_display: ClassVar[list[str]] = ["public_id", "agent", "state", "drains_at", "successor"]
    list_filter: ClassVar[list[str]] = ["state", "data"]
    list_select_related = ("agent", "successor")
    search_fields: ClassVar[list[str]] = ["agent__name", "public_id"]
    ordering = ("-id",)
    inlines: ClassVar[list[Any]] = [StepInline]
