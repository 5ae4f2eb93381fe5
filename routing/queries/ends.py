"""Models and catalogue rows by when they end, in a form that a list can be cut by."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any, Final

from django.db.models import Count, Q, QuerySet, Value
from django.db.models.functions import Coalesce, TruncMonth

from kernel import clock
from registry.actors import Actor
from routing.models import LifecycleRow, Model
from routing.queries.catalogue import catalogue_rows
from routing.queries.vendors import models_for

NEVER: Final = date(9999, 12, 31)
# What a list can be narrowed to: ends within so many days from today.
WINDOWS: Final = {"30": 30, "90": 90, "180": 180, "365": 365}


def models_by_end(actor: Actor, *, window: str = "", vendor: str = "") -> QuerySet[Model]:
    """Return configured models with the day they end; an unknown day counts as never."""
    rows = _narrowed(models_for(actor), window)
    return rows.filter(vendor__name=vendor) if vendor else rows


def catalogue_by_end(*, window: str = "", platform: str = "") -> QuerySet[LifecycleRow]:
    """Return the current rows of the catalogue with the day each ends."""
    return _narrowed(catalogue_rows(platform=platform), window)


def platforms() -> list[str]:
    """Return the platforms that the catalogue speaks of."""
    rows = LifecycleRow.objects.filter(is_current=True).order_by("platform")
    return list(rows.values_list("platform", flat=True).distinct())


def ending_soon(actor: Actor, *, days: int) -> list[Model]:
    """Return the configured models that end within so many days, those that have ended too."""
    until = clock.now().date() + timedelta(days=days)
    rows = models_for(actor).filter(retires_on__lte=until, disabled_at__isnull=True)
    return list(rows[:60])


def ends_by_month(*, platform: str, months: int = 12) -> list[tuple[date, int]]:
    """Return how many models of the catalogue end in each of the coming months."""
    first = clock.now().date().replace(day=1)
    listed = [first]
    while len(listed) < months:
        listed.append((listed[-1] + timedelta(days=32)).replace(day=1))
    rows = LifecycleRow.objects.filter(is_current=True, retires_on__gte=first)
    if platform:
        rows = rows.filter(platform=platform)
    counted = dict(
        rows.annotate(month=TruncMonth("retires_on"))
        .order_by()
        .values_list("month")
        .annotate(number=Count("id"))
    )
    return [(month, counted.get(month, 0)) for month in listed]


def _narrowed(rows: QuerySet[Any], window: str) -> QuerySet[Any]:
    today = clock.now().date()
    if window in WINDOWS:
        rows = rows.filter(retires_on__range=(today, today + timedelta(days=WINDOWS[window])))
    elif window == "ahead":
        rows = rows.filter(Q(retires_on__isnull=True) | Q(retires_on__gte=today))
    elif window == "past":
        rows = rows.filter(retires_on__lt=today)
    elif window == "unknown":
        rows = rows.filter(retires_on__isnull=True)
    dated: QuerySet[Any] = rows.annotate(ends=Coalesce("retires_on", Value(NEVER)))
    return dated
