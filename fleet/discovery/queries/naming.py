"""Which repositories name a model: those that break on its last day."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import Final

from fleet.discovery.models import Finding, NamedModel

MOST: Final = 5000


@dataclass(frozen=True, slots=True)
class NamedIn:
    """One place in one repository that names a model."""

    repository: str
    path: str
    line: int
    model_id: str
    finding: str  # its public id
    is_weak: bool  # in a comment, a test or a text: it breaks nothing
    retires_on: date | None = None


def repositories_naming(model_ids: Iterable[str]) -> list[NamedIn]:
    """Return the places that name one of some models, strong ones first; what was dismissed is out.

    Ids are compared as the catalogue writes them, in whatever case.
    """
    wanted = {name for each in model_ids for name in (each, each.lower())}
    rows = (
        NamedModel.objects.filter(model_id__in=wanted)
        .exclude(finding__state=Finding.State.DISMISSED)
        .select_related("finding")
        .order_by("is_weak", "finding__title", "path", "line")[:MOST]
    )
    return [
        NamedIn(
            repository=row.finding.title,
            path=row.path,
            line=row.line,
            model_id=row.model_id,
            finding=row.finding.public_id,
            is_weak=row.is_weak,
            retires_on=row.retires_on,
        )
        for row in rows
    ]
