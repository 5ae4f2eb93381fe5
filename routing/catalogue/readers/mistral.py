"""Mistral's list of models: ``deprecation`` and ``deprecation_replacement_model``.

The day is the earliest on which the model may be taken away; the vendor states no notice.
"""

from __future__ import annotations

from routing.catalogue.readers.listed import (
    DEPRECATED,
    Listed,
    ListPage,
    day_of,
    entries_of,
    named,
    text_of,
)


def read_mistral(raw: bytes) -> ListPage:
    """Read the list. Raises: CatalogueUnreadable."""
    entries, _ = entries_of(raw, "data")
    models = []
    for name, entry in named(entries, "id"):
        ends = day_of(entry.get("deprecation"))
        models.append(
            Listed(
                name=name,
                status=DEPRECATED if ends else "",
                retires_on=ends,
                date_precision="earliest" if ends else "",
                replacement=text_of(entry.get("deprecation_replacement_model")),
                speaks=ends is not None,
            )
        )
    return ListPage(models, "", len(entries) - len(models))
