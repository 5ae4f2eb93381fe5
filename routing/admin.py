"""Vendors, models, routes and the catalogue in the admin: to look things up, never to edit.

A button leads to the portal's page, where a change is an action with a reason and a record;
the admin's own buttons are plain links, and a link must not change anything.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, TypeVar, cast

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from unfold.admin import ModelAdmin
from unfold.decorators import action

from routing.models import CatalogueLoad, LifecycleRow, Model, Price, Route, Run, Vendor

Way = TypeVar("Way", bound=Callable[..., HttpResponse])


def button(words: str, path: str) -> Callable[[Way], Way]:
    """Make a method a button above a row's page."""
    return cast("Callable[[Way], Way]", action(description=words, url_path=path))


class Looking(ModelAdmin):  # type: ignore[misc]
    """A table to look things up in."""

    list_per_page = 50
    show_full_result_count = False
    compressed_fields = True

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(Vendor)
class Vendors(Looking):
    """Vendors; where a secret is kept is no field of theirs."""

    list_display = ("name", "title", "dialect", "platform", "base_url", "disabled_at")
    list_filter = ("dialect", "platform")
    search_fields = ("name", "title")
    ordering = ("name",)
    actions_detail: ClassVar[list[str]] = ["open_page", "stop_calls"]

    @button("Open in the portal", "portal")
    def open_page(self, request: HttpRequest, object_id: str) -> HttpResponse:
        vendor = get_object_or_404(self.get_queryset(request), pk=object_id)
        return redirect("routing:vendor", vendor.name)

    @button("Disable …", "disable")
    def stop_calls(self, request: HttpRequest, object_id: str) -> HttpResponse:
        vendor = get_object_or_404(self.get_queryset(request), pk=object_id)
        return redirect("routing:vendor-disable", vendor.name)


@admin.register(Model)
class Models(Looking):
    """Models as vendors serve them here."""

    list_display = ("name", "vendor", "retires_on", "replacement", "lifecycle_as_of", "disabled_at")
    list_filter = ("vendor",)
    list_select_related = ("vendor",)
    search_fields = ("name", "vendor__name")
    ordering = ("vendor__name", "name")
    actions_detail: ClassVar[list[str]] = ["open_page", "stop_calls"]

    @button("Open in the portal", "portal")
    def open_page(self, request: HttpRequest, object_id: str) -> HttpResponse:
        model = get_object_or_404(self.get_queryset(request), pk=object_id)
        return redirect("routing:model", model.public_id)

    @button("Disable …", "disable")
    def stop_calls(self, request: HttpRequest, object_id: str) -> HttpResponse:
        model = get_object_or_404(self.get_queryset(request), pk=object_id)
        return redirect("routing:model-disable", model.public_id)


@admin.register(Route)
class Routes(Looking):
    """Routes; their targets are on the portal's page."""

    list_display = ("name", "title", "revision", "changed_at", "disabled_at")
    search_fields = ("name", "title")
    ordering = ("name",)
    actions_detail: ClassVar[list[str]] = ["open_page", "stop_calls"]

    @button("Open in the portal", "portal")
    def open_page(self, request: HttpRequest, object_id: str) -> HttpResponse:
        route = get_object_or_404(self.get_queryset(request), pk=object_id)
        return redirect("routing:route", route.public_id)

    @button("Disable …", "disable")
    def stop_calls(self, request: HttpRequest, object_id: str) -> HttpResponse:
        route = get_object_or_404(self.get_queryset(request), pk=object_id)
        return redirect("routing:route-disable", route.public_id)


@admin.register(Run)
class Runs(Looking):
    """Runs; what is in one is on the portal's page, where each look is governed."""

    list_display = ("run_id", "agent_id", "label", "started_at")
    search_fields = ("run_id__exact", "agent_id__exact")
    ordering = ("-started_at",)
    actions_detail: ClassVar[list[str]] = ["open_page"]

    @button("Open in the portal", "portal")
    def open_page(self, request: HttpRequest, object_id: str) -> HttpResponse:
        run = get_object_or_404(self.get_queryset(request), pk=object_id)
        return redirect("routing:run", run.run_id)


@admin.register(LifecycleRow)
class Lifecycle(Looking):
    """What each source says of each model, rows that are superseded too."""

    list_display = ("model_id", "platform", "status", "retires_on", "as_of", "is_current")
    list_filter = ("platform", "is_current", "status")
    search_fields = ("model_id", "canonical_id")
    ordering = ("platform", "model_id")


@admin.register(Price)
class Prices(Looking):
    """List prices with their source."""

    list_display = (
        "model_id",
        "platform",
        "input_micros_per_mtok",
        "output_micros_per_mtok",
        "as_of",
    )
    list_filter = ("platform",)
    search_fields = ("model_id",)
    ordering = ("platform", "model_id")


@admin.register(CatalogueLoad)
class Loads(Looking):
    """Which documents the catalogue was loaded from."""

    list_display = ("name", "title", "as_of", "rows", "loaded_at")
