"""What changed on people, teams and agents, field by field: a convenience, never the evidence.

The ledger is the evidence. This list is written by a third-party app as rows are saved; a
step that compares and sets in the database does not pass through it.
"""

from __future__ import annotations

from typing import Any, ClassVar

from auditlog.mixins import AuditlogHistoryAdminMixin, LogEntryAdminMixin
from auditlog.models import LogEntry
from django.contrib import admin
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse

from kernel.admin import GovernedAdmin

admin.site.unregister(LogEntry)


class RememberedAdmin(AuditlogHistoryAdminMixin, GovernedAdmin):  # type: ignore[misc]  # untyped
    """A governed model whose History shows what changed on forms, field by field."""

    paginator = Paginator  # its template writes every page number; one without end hangs

    def history_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        page: HttpResponse = self.auditlog_history_view(request, object_id, extra_context)
        return page


@admin.register(LogEntry)
class LogEntryAdmin(GovernedAdmin, LogEntryAdminMixin):  # type: ignore[misc]  # untyped
    """One save of a row."""

    list_select_related = ("content_type", "actor")
    list_display: ClassVar[list[str]] = [
        "created", "resource_url", "action", "msg_short", "user_url",
    ]  # fmt: skip
    list_filter: ClassVar[list[str]] = ["action"]
    search_fields: ClassVar[list[str]] = ["object_repr", "actor__email"]
    ordering = ("-timestamp",)
    readonly_fields: ClassVar[list[str]] = ["created", "resource_url", "action", "user_url", "msg"]
    fields: ClassVar[list[str]] = ["created", "user_url", "resource_url", "action", "msg"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[LogEntry]:
        self.request = request  # the mixin builds links from it
        rows: QuerySet[LogEntry] = super().get_queryset(request)
        return rows
