"""What is kept, held and erased, for those who may see it."""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import QuerySet

from ledger.models import Entry, LegalHold
from ledger.queries import entries_of_subject
from ledger.retention import ages, months
from ledger.retention.ages import ClassAge
from ledger.retention.months import Month
from ledger.verbs import Verb
from registry.actors import Actor
from registry.manifest.sensitivity import DATA_CLASSES
from routing.keeping.meaning import require_reader
from routing.keeping.previewing import hold_named
from routing.models import Erasure


@dataclass(frozen=True, slots=True)
class Kept:
    """The state of keeping: ages, floor, months, and what is wrong."""

    floor: int
    ages: list[ClassAge]
    months: list[Month]
    troubles: list[str]

    @property
    def is_on(self) -> bool:
        return any(age.days is not None or age.next_days is not None for age in self.ages)


def kept(actor: Actor) -> Kept:
    """Return how payloads are kept now. Raises: MayNotKeep."""
    require_reader(actor)
    return Kept(
        ages.floor_days(), ages.ages(DATA_CLASSES), months.months(), months.trouble().sentences
    )


def holds_for(actor: Actor) -> QuerySet[LegalHold]:
    """Return every legal hold, the newest first. Raises: MayNotKeep."""
    require_reader(actor)
    return LegalHold.objects.order_by("-placed_at", "-public_id")


def hold_for(actor: Actor, public_id: str) -> LegalHold:
    """Return a hold. Raises: MayNotKeep, HoldNotFound."""
    require_reader(actor)
    return hold_named(public_id)


def erasures_for(actor: Actor) -> QuerySet[Erasure]:
    """Return every erasure, the newest first. Raises: MayNotKeep."""
    require_reader(actor)
    return Erasure.objects.order_by("-requested_at", "-public_id")


def tombstones_of(erasure: Erasure) -> list[str]:
    """Return the entries that record what an erasure destroyed."""
    rows = entries_of_subject(erasure.ref).filter(verb=Verb.DATAKEY_SHREDDED)
    return list(rows.values_list("entry_id", flat=True)[:1000])


def entries_about(erasure: Erasure) -> QuerySet[Entry]:
    """Return everything recorded of an erasure."""
    return entries_of_subject(erasure.ref)
