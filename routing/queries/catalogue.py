"""What the catalogue says of a model as one vendor serves it.

Owns the match from (platform, the id on the wire) to facts. A date that is only a promise
("not sooner than") is shown and never taken for an end; a snapshot never borrows the date
of its family, because their clocks differ.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from django.contrib.postgres.fields import ArrayField
from django.db.models import F, Q, QuerySet, TextField, Value
from django.db.models.functions import Concat

from kernel import clock
from routing.models import CatalogueLoad, LifecycleRow, Price

SOURCE_PREFIX: Final = "catalogue: "
_ENDING: Final = frozenset({"deprecated", "retired", "shutdown", "legacy", "extended-access"})
_SNAPSHOT: Final = re.compile(r"[-@](20\d{2}-?\d{2}-?\d{2}|latest)$")
_REGION: Final = re.compile(r"^(us|eu|apac|jp|au|global)\.")
# Where a platform's list price is printed under another's name.
_PRICED_AS: Final = {"vertex": "gemini"}

Key = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Lifecycle:
    """When a model ends on one platform, as far as its current sources say."""

    retires_on: date | None
    deprecated_on: date | None
    replacement: str
    source: str
    as_of: str
    date_precision: str = ""
    status: str = ""
    not_before: date | None = None  # a promise: it will not end sooner
    is_shipped: bool = True
    other_dates: tuple[date, ...] = ()  # what other rows of the catalogue say


Row = tuple[str, str, str]  # platform, canonical id, version
NOTHING_KNOWN: Final[dict[str, Any]] = {
    "retires_on": None, "deprecated_on": None, "date_precision": "", "replacement": "",
    "lifecycle_status": "", "model_id": "", "source_url": "",
}  # fmt: skip


def catalogue_states(platforms: Collection[str]) -> dict[Row, dict[str, Any]]:
    """Return what holds for each row of some platforms, in the terms that changes are told in."""
    rows = LifecycleRow.objects.filter(is_current=True, platform__in=platforms)
    found = {}
    for row in rows.values(
        "platform", "canonical_id", "model_version", "model_id", "retires_on", "deprecated_on",
        "announced_on", "date_precision", "status", "replacement", "source_url",
    ):  # fmt: skip
        is_promise = _is_promise(row["date_precision"], row["status"])
        found[row["platform"], row["canonical_id"], row["model_version"]] = {
            "retires_on": None if is_promise else row["retires_on"],
            "deprecated_on": row["deprecated_on"] or row["announced_on"],
            "date_precision": row["date_precision"],
            "replacement": row["replacement"],
            "lifecycle_status": row["status"],
            "model_id": row["model_id"],
            "source_url": row["source_url"],
        }
    return found


def lifecycle_for(keys: Iterable[Key]) -> dict[Key, Lifecycle]:
    """Return what is known of the end of each (platform, name); absent when nothing is."""
    wanted = set(keys)
    rows = _matching(wanted)
    found: dict[Key, Lifecycle] = {}
    for key in wanted:
        chosen = _chosen([row for row in rows if row.platform == key[0] and _is_of(row, key)])
        if chosen is not None:
            found[key] = chosen
    return found


def price_for(keys: Iterable[Key]) -> dict[Key, Price]:
    """Return the list price of each (platform, name) that has one."""
    wanted = {key: _price_names(key) for key in keys}
    rows = Price.objects.filter(
        platform__in={platform for names in wanted.values() for platform, _ in names},
        model_id__in={name for names in wanted.values() for _, name in names},
    )
    known = {(row.platform, row.model_id): row for row in rows}
    return {
        key: known[first]
        for key, names in wanted.items()
        if (first := next((name for name in names if name in known), None)) is not None
    }


def catalogue_rows(
    *, retiring_before: date | None = None, platform: str = ""
) -> QuerySet[LifecycleRow]:
    """Return the current rows of the whole catalogue, soonest end first."""
    rows = LifecycleRow.objects.filter(is_current=True)
    if retiring_before is not None:
        rows = rows.filter(retires_on__lt=retiring_before)
    if platform:
        rows = rows.filter(platform=platform)
    return rows.order_by(F("retires_on").asc(nulls_last=True), "platform", "model_id")


def loaded_documents() -> QuerySet[CatalogueLoad]:
    """Return which documents the catalogue was loaded from, and of when they are."""
    return CatalogueLoad.objects.order_by("name")


def names_on_wire(platform: str, name: str) -> list[str]:
    """Return the ids under which collections may know a name, the most exact first."""
    names = [name, name.removeprefix("models/")]
    if platform == "bedrock":
        names.append(_REGION.sub("", name))
    return list(dict.fromkeys([*names, *(each.lower() for each in names)]))


def _matching(wanted: set[Key]) -> list[LifecycleRow]:
    names = sorted({alias for platform, name in wanted for alias in names_on_wire(platform, name)})
    if not names:
        return []
    versioned = Concat("model_id", Value("-"), "model_version", output_field=TextField())
    return list(
        LifecycleRow.objects.filter(
            is_current=True, platform__in={platform for platform, _ in wanted}
        )
        .alias(versioned=versioned)
        .filter(
            Q(model_id__in=names)
            | Q(canonical_id__in=names)
            | Q(aliases__overlap=Value(names, output_field=ArrayField(TextField())))
            | Q(versioned__in=names)
        )
        .order_by("is_shipped", "-as_of", "model_id", "model_version")
    )


def _is_of(row: LifecycleRow, key: Key) -> bool:
    names = names_on_wire(*key)
    said = {row.model_id, row.canonical_id, *row.aliases}
    if row.model_version:
        said.add(f"{row.model_id}-{row.model_version}")
    return not said.isdisjoint(names)


def _chosen(rows: list[LifecycleRow]) -> Lifecycle | None:
    dated = [row for row in rows if row.retires_on is not None]
    binding = [row for row in dated if not _is_promise(row.date_precision, row.status)]
    if not binding:
        promise = max((row.retires_on for row in dated if row.retires_on), default=None)
        ending = next((row for row in rows if row.status in _ENDING), None)
        row = ending or next((row for row in dated if row.retires_on == promise), None)
        return _told(row, rows, retires_on=None, not_before=promise) if row else None
    plain = [row for row in binding if not row.model_version]
    row = plain[0] if plain else _soonest_ahead(binding)
    return _told(row, rows, retires_on=row.retires_on, not_before=None)


def _told(
    row: LifecycleRow, rows: list[LifecycleRow], *, retires_on: date | None, not_before: date | None
) -> Lifecycle:
    replacement = row.replacement or next(
        (each.replacement for each in rows if each.replacement), ""
    )
    return Lifecycle(
        retires_on=retires_on,
        deprecated_on=row.deprecated_on or row.announced_on,
        replacement=replacement,
        source=SOURCE_PREFIX + (row.source_url or row.obtained_via),
        as_of=row.as_of,
        date_precision="not_sooner_than" if not_before else row.date_precision or "exact",
        status=row.status,
        not_before=not_before,
        is_shipped=row.is_shipped,
        other_dates=tuple(day for day in row.conflicting_dates if day != row.retires_on),
    )


def _is_promise(precision: str, status: str) -> bool:
    return precision == "not_sooner_than" and status not in _ENDING


def _soonest_ahead(rows: list[LifecycleRow]) -> LifecycleRow:
    """Of several versions behind one name, the one whose end comes first from now on."""
    today = clock.now().date()
    dated = sorted(rows, key=lambda row: row.retires_on or date.max)
    return next((row for row in dated if (row.retires_on or today) >= today), dated[-1])


def _price_names(key: Key) -> list[Key]:
    platform, name = key
    names = names_on_wire(platform, name)
    # A snapshot costs what its family costs unless it is listed itself.
    names += [_SNAPSHOT.sub("", each) for each in names]
    return [(_PRICED_AS.get(platform, platform), each) for each in dict.fromkeys(names)]
