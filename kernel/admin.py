"""The admin of governed models: it shows rows and never edits them.

A row that an action guards and the ledger records is not changed by a form beside them.
Lists are cut without counting, because a ledger has more rows than one wants to count.
"""

from __future__ import annotations

from typing import Any, Final

from django.http import HttpRequest
from unfold.admin import ModelAdmin, TabularInline
from unfold.paginator import InfinitePaginator

_NEVER: Final = False


class GovernedAdmin(ModelAdmin):  # type: ignore[misc]  # unfold ships no types
    """A list and a page to read; what may be done has buttons that call actions."""

    actions = None
    paginator = InfinitePaginator
    show_full_result_count = False
    list_per_page = 50
    list_filter_sheet = False

    def has_add_permission(self, request: HttpRequest) -> bool:
        return _NEVER

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return _NEVER

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return _NEVER


class GovernedInline(TabularInline):  # type: ignore[misc]  # unfold ships no types
    """Rows that belong to the one shown, to read."""

    extra = 0
    can_delete = False
    show_change_link = True

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return _NEVER

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return _NEVER
