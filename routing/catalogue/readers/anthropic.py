"""Anthropic's list of models: ``lifecycle``, ``deprecated_at`` and ``retires_at``, in pages.

``lifecycle`` is the signal: a deprecated model past its ``retires_at`` is overdue, not retired.
The date of an active model is a promise that it will not end sooner.
"""

from __future__ import annotations

from typing import Final

from routing.catalogue.readers.listed import (
    ACTIVE,
    DEPRECATED,
    RETIRED,
    Listed,
    ListPage,
    day_of,
    entries_of,
    named,
    text_of,
)

_KNOWN: Final = frozenset({ACTIVE, DEPRECATED, RETIRED})


def read_anthropic(raw: bytes) -> ListPage:
    """Read one page. Raises: CatalogueUnreadable."""
    entries, around = entries_of(raw, "data")
    models = []
    for name, entry in named(entries, "id"):
        said = entry.get("lifecycle")
        status = said if isinstance(said, str) and said in _KNOWN else ""
        ends = day_of(entry.get("retires_at"))
        precision = "not_sooner_than" if status == ACTIVE else "exact"
        models.append(
            Listed(
                name=name,
                status=status,
                deprecated_on=day_of(entry.get("deprecated_at")),
                retires_on=ends,
                date_precision=precision if ends else "",
                speaks=bool(status or ends),
            )
        )
    after = text_of(around.get("last_id")) if around.get("has_more") is True else ""
    return ListPage(models, after, len(entries) - len(models))
