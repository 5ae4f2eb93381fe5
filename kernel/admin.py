"""The admin of governed models: it shows rows and never edits them.

A row that an action guards and the ledger records is not changed by a form beside them.
Lists are cut without counting, because a ledger has more rows than one wants to count.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from django.http import HttpRequest
from unfold.admin import ModelAdmin, TabularInline
from unfold.paginator import InfinitePaginator

_NEVER: Final = False
# What may be done to rows chosen in a list, by the label of their model; each asks back first.
BulkAction = Callable[[Any, HttpRequest, Any], Any]
_IN_BULK: Final[dict[str, dict[str, tuple[BulkAction, str]]]] = {}


def offer_in_bulk(model: str, name: str, title: str, action: BulkAction) -> None:
    """Offer an action above the list of a model (``registry.agent``), for the rows chosen."""
    _IN_BULK.setdefault(model, {})[name] = (action, title)


class GovernedAdmin(ModelAdmin):  # type: ignore[misc]  # unfold ships no types
    """A list and a page to read; what may be done has buttons that call actions."""

    actions = None
    paginator = InfinitePaginator
    show_full_result_count = False
    list_per_page = 50
    list_filter_sheet = False

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        offered = _IN_BULK.get(self.model._meta.label_lower, {})
        return {name: (action, name, title) for name, (action, title) in offered.items()}

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
