"""What holds for a model's end, by whom it is said, and who says otherwise.

Owns the precedence of sources: the vendor's own list, asked with that vendor's secret, before
what a person set, before imported documents and feeds, before what ships. The highest that
says something of the end gives its dates; what it leaves open is filled from the next. A date
that is only a promise is kept apart: it is never an end.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Final

from kernel import clock
from routing.models import LifecycleOverride, ListedModel, Model
from routing.queries.catalogue import SOURCE_PREFIX, Key, Lifecycle, lifecycle_for

VENDOR: Final = "vendor"
OVERRIDE: Final = "override"
FEED: Final = "feed"
CATALOGUE: Final = "catalogue"
WORDS: Final[Mapping[str, str]] = {
    VENDOR: "the vendor's own list",
    OVERRIDE: "set by hand",
    FEED: "an imported feed",
    CATALOGUE: "the catalogue",
    "": "nobody",
}
PRECISION_WORDS: Final[Mapping[str, str]] = {
    "exact": "exact",
    "earliest": "earliest, may move later",
    "not_sooner_than": "not sooner than",
    "": "",
}
VENDOR_PREFIX: Final = "vendor list: "
OVERRIDE_PREFIX: Final = "set by "
_GONE: Final = frozenset({"retired", "shutdown"})
_ENDING: Final = _GONE | {"deprecated", "legacy", "extended-access"}


@dataclass(frozen=True, slots=True)
class Claim:
    """What one source says of one model's end."""

    kind: str
    source: str
    as_of: str
    retires_on: date | None = None
    deprecated_on: date | None = None
    date_precision: str = ""
    status: str = ""
    replacement: str = ""
    not_before: date | None = None
    is_answer: bool = True  # a source that says nothing of the end leaves it to the next
    other_dates: tuple[date, ...] = ()


@dataclass(frozen=True, slots=True)
class Conflict:
    """Another date than the one that holds, and who gives it."""

    retires_on: date | None
    source: str
    as_of: str
    kind: str

    def told(self) -> dict[str, Any]:
        return {
            "retires_on": self.retires_on.isoformat() if self.retires_on else None,
            "source": self.source, "as_of": self.as_of, "kind": self.kind,
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Fate:
    """What holds for a model's end."""

    deprecated_on: date | None = None
    retires_on: date | None = None
    date_precision: str = ""
    replacements: list[str] = field(default_factory=list)
    source: str = ""
    as_of: str = ""
    is_overridden: bool = False
    conflicts: list[Conflict] = field(default_factory=list)
    not_before: date | None = None
    status: str = ""
    kind: str = ""  # of the source

    @property
    def is_ending(self) -> bool:
        return self.retires_on is not None or self.status in _ENDING

    @property
    def standing(self) -> str:
        """Say where it stands: past its date it is overdue until its vendor says retired."""
        if self.status in _GONE:
            return "retired"
        if self.retires_on is not None and self.retires_on < clock.now().date():
            return "overdue"
        return "ending" if self.is_ending else "active"

    @property
    def source_words(self) -> str:
        return WORDS.get(self.kind, self.kind)

    @property
    def has_own_source(self) -> bool:
        """Say whether the source is more than the word for its kind and who wrote it."""
        return bool(self.source) and not self.source.startswith((OVERRIDE_PREFIX, VENDOR_PREFIX))

    @property
    def precision_words(self) -> str:
        return PRECISION_WORDS.get(self.date_precision, self.date_precision)


def fate_of(model: Model) -> Fate:
    """Return what holds for a model's end, as it was settled last. Asks no question."""
    return Fate(
        deprecated_on=model.deprecated_on,
        retires_on=model.retires_on,
        date_precision=model.date_precision or ("exact" if model.retires_on else ""),
        replacements=names_in(model.replacement),
        source=model.lifecycle_source,
        as_of=model.lifecycle_as_of,
        is_overridden=model.fate_from == OVERRIDE,
        conflicts=[_conflict(said) for said in model.fate_conflicts or []],
        not_before=model.not_before,
        status=model.lifecycle_status,
        kind=model.fate_from or _kind_of(model.lifecycle_source),
    )


def names_in(replacement: str) -> list[str]:
    """Return the models that a source names as replacements, the first first."""
    return [name.strip() for name in replacement.split(",") if name.strip()]


def claims_for(models: Sequence[Model]) -> list[list[Claim]]:
    """Return what every source says of some models, for each the highest source first."""
    listed = _listed(models)
    overrides = {
        row.model_id: row
        for row in LifecycleOverride.objects.filter(
            model_id__in=[model.pk for model in models if model.pk], lifted_at__isnull=True
        )
    }
    keys = {_key(model) for model in models if model.vendor.platform}
    known = lifecycle_for(keys)
    found = []
    for model in models:
        claims: list[Claim] = []
        if (said := listed.get((model.vendor_id, model.name))) is not None:
            claims.append(_of_vendor(said, model.vendor.name))
        if (override := overrides.get(model.pk)) is not None:
            claims.append(_of_person(override))
        if (lifecycle := known.get(_key(model))) is not None:
            claims.append(_of_catalogue(lifecycle))
        found.append(claims)
    return found


def settled(claims: Sequence[Claim]) -> Fate:
    """Return what holds when several sources speak: the highest that answers gives the dates."""
    answers = [claim for claim in claims if claim.is_answer]
    if not answers:
        return Fate()
    first, rest = answers[0], answers[1:]
    # Another source may fill what the first leaves open, as long as it speaks of the same end.
    same = [claim for claim in rest if claim.retires_on == first.retires_on]
    is_ending = first.retires_on is not None or first.status in _ENDING
    named = (claim.replacement for claim in answers if claim.replacement)
    since = (claim.deprecated_on for claim in [first, *same] if claim.deprecated_on)
    return Fate(
        deprecated_on=next(since, None),
        retires_on=first.retires_on,
        date_precision=first.date_precision,
        replacements=names_in(next(named, "")) if is_ending or first.replacement else [],
        source=first.source,
        as_of=first.as_of,
        is_overridden=first.kind == OVERRIDE,
        conflicts=list(_conflicts(first, rest)),
        not_before=first.not_before,
        status=first.status,
        kind=first.kind,
    )


def _conflicts(first: Claim, rest: Iterable[Claim]) -> Iterable[Conflict]:
    told = {first.retires_on}
    for day in first.other_dates:
        if day not in told:
            told.add(day)
            yield Conflict(day, first.source, "", first.kind)
    for claim in rest:
        if claim.retires_on not in told:
            told.add(claim.retires_on)
            yield Conflict(claim.retires_on, claim.source, claim.as_of, claim.kind)


def _listed(models: Sequence[Model]) -> dict[tuple[int, str], ListedModel]:
    rows = ListedModel.objects.filter(
        vendor__in={model.vendor_id for model in models},
        name__in={model.name for model in models},
    )
    return {(row.vendor_id, row.name): row for row in rows}


def _of_vendor(row: ListedModel, vendor: str) -> Claim:
    is_promise = row.date_precision == "not_sooner_than"
    return Claim(
        kind=VENDOR,
        source=VENDOR_PREFIX + vendor,
        as_of=row.listed_at.date().isoformat(),
        retires_on=None if is_promise else row.retires_on,
        not_before=row.retires_on if is_promise else None,
        deprecated_on=row.deprecated_on,
        date_precision=row.date_precision,
        status=row.status,
        replacement=row.replacement,
        # A list that never spoke of ends says nothing by having none.
        is_answer=row.has_spoken,
    )


def _of_person(row: LifecycleOverride) -> Claim:
    is_promise = row.date_precision == "not_sooner_than"
    return Claim(
        kind=OVERRIDE,
        source=row.source or OVERRIDE_PREFIX + row.set_by,
        as_of=row.set_at.date().isoformat(),
        retires_on=None if is_promise else row.retires_on,
        not_before=row.retires_on if is_promise else None,
        deprecated_on=row.deprecated_on,
        date_precision=row.date_precision,
        replacement=row.replacement,
    )


def _of_catalogue(known: Lifecycle) -> Claim:
    return Claim(
        kind=CATALOGUE if known.is_shipped else FEED,
        source=known.source,
        as_of=known.as_of,
        retires_on=known.retires_on,
        not_before=known.not_before,
        deprecated_on=known.deprecated_on,
        date_precision=known.date_precision,
        status=known.status,
        replacement=known.replacement,
        other_dates=known.other_dates,
    )


def _kind_of(source: str) -> str:
    """Name the kind of a source that was written before kinds were kept."""
    if not source:
        return ""
    return CATALOGUE if source.startswith(SOURCE_PREFIX) else OVERRIDE


def _conflict(said: dict[str, Any]) -> Conflict:
    day = said.get("retires_on")
    return Conflict(
        date.fromisoformat(day) if day else None,
        str(said.get("source", "")), str(said.get("as_of", "")), str(said.get("kind", "")),
    )  # fmt: skip


def _key(model: Model) -> Key:
    return model.vendor.platform, model.name
