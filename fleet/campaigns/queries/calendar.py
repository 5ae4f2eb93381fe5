"""What ends when: models that are used here and models of the catalogue, and who would notice.

One list, the soonest end first, for the page, the API and the calendar file. Exposure is what
the viewer may see: whoever governs nothing is told of their own agents only.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Final

from django.db.models import Q

from fleet.campaigns.queries.impact import Exposure, exposure_of
from kernel import clock
from registry.actors import Actor
from routing.models import LifecycleRow, Model
from routing.queries.catalogue import catalogue_rows
from routing.queries.fate import Fate, fate_of, names_in
from routing.queries.vendors import models_for

PAST_DAYS: Final = 30
DEFAULT_DAYS: Final = 180
WINDOWS: Final = (30, 90, 180, 365)
NOTICES: Final = (90, 60, 30, 14, 7, 1)
MOST: Final = 2000


@dataclass(frozen=True, slots=True)
class Asked:
    """What a calendar is narrowed to."""

    days: int = DEFAULT_DAYS
    vendor: str = ""
    platform: str = ""
    search: str = ""
    whole: bool = False  # the catalogue too, not only what is used here
    mine: bool = False  # only what an agent of the viewer's touches
    model: str = ""  # one model alone, by its id or its name


@dataclass(frozen=True, slots=True)
class End:
    """The end of one model on one platform."""

    key: str  # of this row, the same from day to day
    name: str
    platform: str
    vendor: str  # empty: nothing here is connected to it
    vendor_title: str
    model: str  # public id; empty for a row of the catalogue
    announced_on: date | None
    ends_on: date
    precision: str
    replacements: list[str]
    source: str
    source_words: str
    as_of: str
    standing: str
    other_dates: list[date]
    exposure: Exposure | None = None

    @property
    def group(self) -> str:
        return self.vendor_title or self.platform

    @property
    def days_left(self) -> int:
        return (self.ends_on - clock.now().date()).days

    @property
    def next_notice(self) -> int | None:
        """The next of the days of notice that lies ahead."""
        return next((days for days in NOTICES if days < self.days_left), None)


def ends_for(actor: Actor, asked: Asked) -> list[End]:
    """Return what ends in a window that begins shortly before today, the soonest first."""
    today = clock.now().date()
    window = (today - timedelta(days=PAST_DAYS), today + timedelta(days=asked.days))
    models = models_for(actor).filter(retires_on__range=window, disabled_at__isnull=True)
    if asked.vendor:
        models = models.filter(vendor__name=asked.vendor)
    if asked.platform:
        models = models.filter(vendor__platform=asked.platform)
    if asked.model:
        models = models.filter(Q(public_id=asked.model) | Q(name=asked.model))
    for word in asked.search.split():
        place = Q(name__icontains=word) | Q(vendor__name__icontains=word)
        models = models.filter(
            place | Q(vendor__title__icontains=word) | Q(replacement__icontains=word)
        )
    used = list(models[:MOST])
    ends = _exposed(used, actor, mine=asked.mine)
    if asked.whole and not asked.mine and not asked.vendor:
        # Of what nobody here uses, only what is ahead is worth a look.
        ends += _of_catalogue(asked, (today, window[1]), used)
    return sorted(ends, key=lambda end: (end.ends_on, end.group, end.name))[:MOST]


def with_exposure(ends: Iterable[End]) -> list[End]:
    """Return those ends that an agent depends on."""
    return [end for end in ends if end.exposure is not None and end.exposure.agents]


def platforms_in_use() -> list[str]:
    """Return the platforms that something here is connected to."""
    rows = Model.objects.exclude(vendor__platform="").order_by("vendor__platform")
    return list(rows.values_list("vendor__platform", flat=True).distinct())


def _exposed(models: list[Model], actor: Actor, *, mine: bool) -> list[End]:
    viewer = actor
    if mine and actor.person is not None:
        # Seen as somebody who governs nothing: what is left are their own agents.
        viewer = replace(actor, roles=frozenset({"employee"}))
    known = exposure_of(models, viewer=viewer)
    ends = [_of_model(model, known.get(model.public_id, Exposure())) for model in models]
    return with_exposure(ends) if mine else ends


def _of_model(model: Model, exposure: Exposure) -> End:
    fate: Fate = fate_of(model)
    assert fate.retires_on is not None  # noqa: S101  the list asks for an end
    return End(
        key=model.public_id,
        name=model.name,
        platform=model.vendor.platform,
        vendor=model.vendor.name,
        vendor_title=model.vendor.title or model.vendor.name,
        model=model.public_id,
        announced_on=fate.deprecated_on,
        ends_on=fate.retires_on,
        precision=fate.date_precision,
        replacements=fate.replacements,
        source=fate.source,
        source_words=fate.source_words,
        as_of=fate.as_of,
        standing=fate.standing,
        other_dates=sorted({one.retires_on for one in fate.conflicts if one.retires_on}),
        exposure=exposure,
    )


def _of_catalogue(asked: Asked, window: tuple[date, date], used: list[Model]) -> list[End]:
    rows = catalogue_rows(platform=asked.platform).filter(retires_on__range=window)
    rows = rows.exclude(date_precision="not_sooner_than", status__in=("", "active", "ga"))
    if asked.model:
        rows = rows.filter(Q(model_id=asked.model) | Q(canonical_id=asked.model))
    for word in asked.search.split():
        rows = rows.filter(
            Q(model_id__icontains=word)
            | Q(platform__icontains=word)
            | Q(replacement__icontains=word)
        )
    shown = {(model.vendor.platform, model.name) for model in used}
    return [
        _of_row(row)
        for row in rows[:MOST]
        if not {(row.platform, row.model_id), (row.platform, row.canonical_id)} & shown
    ]


def _of_row(row: LifecycleRow) -> End:
    assert row.retires_on is not None  # noqa: S101  the list asks for an end
    name = f"{row.model_id} {row.model_version}".strip()
    return End(
        key=f"{row.platform}/{row.canonical_id}/{row.model_version}",
        name=name,
        platform=row.platform,
        vendor="",
        vendor_title="",
        model="",
        announced_on=row.deprecated_on or row.announced_on,
        ends_on=row.retires_on,
        precision=row.date_precision or "exact",
        replacements=names_in(row.replacement),
        source=row.source_url or row.obtained_via,
        source_words="the catalogue" if row.is_shipped else "an imported feed",
        as_of=row.as_of,
        standing="retired" if row.status in {"retired", "shutdown"} else "ending",
        other_dates=[day for day in row.conflicting_dates if day != row.retires_on],
    )
