"""Reviews in the admin, to read; they are answered in the portal."""

from __future__ import annotations

from typing import ClassVar

from django.contrib import admin

from approvals.models import Review, ReviewDecision
from kernel.admin import GovernedAdmin, GovernedInline


class DecisionInline(GovernedInline):
    """The answers to the review shown."""

    model = ReviewDecision
    fields: ClassVar[list[str]] = ["decider", "decision", "comment", "created_at"]
    show_change_link = False


@admin.register(Review)
class ReviewAdmin(GovernedAdmin):
    """A question put to people."""

    list_display: ClassVar[list[str]] = [
        "question", "kind", "state", "requester", "created_at", "expires_at",
    ]  # fmt: skip
    list_filter: ClassVar[list[str]] = ["state", "kind"]
    list_select_related = ("requester",)
    search_fields: ClassVar[list[str]] = ["public_id", "subject_name", "requester__email"]
    ordering = ("-id",)
    inlines: ClassVar[list[type[GovernedInline]]] = [DecisionInline]
