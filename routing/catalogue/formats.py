"""Catalogue documents: what they say, whatever format they say it in.

Owns the readers of ``unsprawl-lifecycle/1``, ``unsprawl-prices/1`` and ``model-eol/0.1``.
A document with one row that cannot be understood is refused whole, naming the row: half a
catalogue looks like a whole one.
"""

from __future__ import annotations

import gzip
import re
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Final

from kernel.canonical import NotJSON, digest_bytes, strict_loads
from routing.catalogue.platforms import platform_named
from routing.errors import CatalogueUnreadable

MAX_BYTES: Final = 32 * 1024 * 1024
PRECISIONS: Final = ("", "exact", "earliest", "not_sooner_than")
_DAY: Final = re.compile(r"\d{4}-\d{2}-\d{2}")
_MONTH: Final = re.compile(r"[0-9]{4}-[0-9]{2}")


@dataclass(frozen=True, slots=True)
class LifecycleFact:
    """What one source says of one model on one platform."""

    platform: str
    model_id: str
    canonical_id: str
    model_version: str
    provider: str
    status: str
    announced_on: date | None
    retires_on: date | None
    date_precision: str
    replacement: str
    aliases: list[str]
    note: str
    source_url: str
    obtained_via: str
    as_of: str
    deprecated_on: date | None = None


@dataclass(frozen=True, slots=True)
class PriceFact:
    """A list price in micro-units of US dollars per million tokens; None is unknown."""

    platform: str
    model_id: str
    input_micros_per_mtok: int | None
    output_micros_per_mtok: int | None
    cached_input_micros_per_mtok: int | None
    context_tokens: int | None
    source: str
    as_of: str


@dataclass(frozen=True, slots=True)
class Document:
    """One catalogue document, read."""

    name: str
    title: str
    as_of: str
    digest: str
    lifecycle: list[LifecycleFact] = field(default_factory=list)
    prices: list[PriceFact] = field(default_factory=list)

    @property
    def rows(self) -> int:
        return len(self.lifecycle) + len(self.prices)


def read_document(raw: bytes) -> Document:
    """Read a catalogue document, gzipped or plain. Raises: CatalogueUnreadable, NotJSON."""
    plain = unpacked(raw)
    body = strict_loads(plain)
    if not isinstance(body, dict):
        raise CatalogueUnreadable("The document is not a JSON object.")
    name = str(body.get("schema") or body.get("spec"))
    reader = _READERS.get(name)
    if reader is None:
        raise CatalogueUnreadable(
            f"The format {name[:60]!r} is not known. Known are {', '.join(sorted(_READERS))}.",
            known=sorted(_READERS),
        )
    return reader(body, digest_bytes(plain))


def unpacked(raw: bytes) -> bytes:
    """Return a document without its gzip. Raises: CatalogueUnreadable, NotJSON."""
    if not raw.startswith(b"\x1f\x8b"):
        return raw
    inflater = zlib.decompressobj(wbits=31)
    try:
        plain = inflater.decompress(raw, MAX_BYTES + 1)
    except (zlib.error, gzip.BadGzipFile):
        raise NotJSON("The document is not sound gzip.") from None
    if len(plain) > MAX_BYTES:
        raise CatalogueUnreadable(f"The document unpacks to more than {MAX_BYTES} bytes.")
    return plain


def _lifecycle(body: dict[str, Any], digest: str) -> Document:
    origins = _mapping(body.get("origins", {}), "origins")
    titles = {key: _mapping(value, f"origin {key}") for key, value in origins.items()}
    via = {
        key: f"{value.get('title', key)} ({value.get('licence', 'licence unknown')})"
        for key, value in titles.items()
    }

    def fact(row: _Row) -> LifecycleFact:
        model = row.text("model", required=True)
        origin = row.text("origin")
        return LifecycleFact(
            platform=platform_named(row.text("platform", required=True)),
            model_id=model,
            canonical_id=row.text("canonical") or model,
            model_version=row.text("version"),
            provider=row.text("provider"),
            status=row.text("status"),
            announced_on=row.day("announced"),
            retires_on=row.day("retires"),
            date_precision=row.one_of("precision", PRECISIONS),
            replacement=row.text("replacement"),
            aliases=row.texts("aliases"),
            note=row.text("note"),
            source_url=row.text("source"),
            obtained_via=via.get(origin, origin),
            as_of=row.stand("as_of"),
        )

    facts = [fact(row) for row in _rows(body, "rows")]
    generated = _text(body, "generated")
    return Document("lifecycle", "lifecycle facts", generated, digest, lifecycle=facts)


def _prices(body: dict[str, Any], digest: str) -> Document:
    origin, as_of = _text(body, "origin"), _text(body, "as_of")
    facts = []
    for row in _rows(body, "prices"):
        platform = platform_named(row.text("platform", required=True))
        for model in [row.text("model", required=True), *row.texts("aliases")]:
            facts.append(
                PriceFact(
                    platform=platform,
                    model_id=model,
                    input_micros_per_mtok=row.count("input"),
                    output_micros_per_mtok=row.count("output"),
                    cached_input_micros_per_mtok=row.count("cached"),
                    context_tokens=row.count("context", most=2**31 - 1),
                    source=origin,
                    as_of=as_of,
                )
            )
    return Document("prices", origin, as_of, digest, prices=facts)


def _model_eol(body: dict[str, Any], digest: str) -> Document:
    publisher = _text(body, "publisher")
    generated = _Row(body, "the document").stand("generated")
    page = str(body.get("source", ""))
    facts = []
    for row in _rows(body, "models"):
        # A collection of many publishers says all that it knows under the channels.
        if row.text("announced") or row.text("shutdown") or not row.items("distributions"):
            facts.append(_model_eol_fact(row, row, publisher, publisher, page, generated))
        for number, place in enumerate(row.items("distributions")):
            # A channel has its own dates; what it does not say is unknown there, not the same.
            channel = _Row(place, f"{row.where}, distribution {number}")
            via = channel.text("via", required=True)
            if platform_named(via) != platform_named(publisher):
                facts.append(_model_eol_fact(row, channel, via, publisher, page, generated))
    name = f"model-eol:{publisher}"
    return Document(name, f"model-eol/0.1 of {publisher}", generated, digest, lifecycle=facts)


def _model_eol_fact(
    model: _Row, dates: _Row, platform: str, publisher: str, page: str, generated: str
) -> LifecycleFact:
    options = ", ".join(model.texts("replacement_options"))
    shutdown = dates.day("shutdown")
    return LifecycleFact(
        platform=platform_named(platform),
        model_id=model.text("id", required=True),
        canonical_id=model.text("id"),
        model_version="",
        provider=publisher,
        status=dates.text("status"),
        announced_on=dates.day("announced"),
        retires_on=shutdown,
        date_precision=dates.one_of("date_precision", PRECISIONS) or ("exact" if shutdown else ""),
        replacement=model.text("replacement") or options,
        aliases=model.texts("aliases"),
        note=" ".join(filter(None, (model.text("notes"), model.text("replacement_note")))),
        source_url=dates.text("source") or model.text("source") or page,
        obtained_via=f"model-eol/0.1 of {publisher}",
        as_of=dates.stand("as_of") if dates.text("as_of") else generated,
    )


_READERS: Final[dict[str, Callable[[dict[str, Any], str], Document]]] = {
    "unsprawl-lifecycle/1": _lifecycle,
    "unsprawl-prices/1": _prices,
    "model-eol/0.1": _model_eol,
}


@dataclass(frozen=True, slots=True)
class _Row:
    """One row with typed reads that name the row when it is wrong."""

    values: Mapping[str, Any]
    where: str

    def wrong(self, key: str, wanted: str) -> CatalogueUnreadable:
        return CatalogueUnreadable(f"{self.where}: {key} must be {wanted}.", key=key)

    def text(self, key: str, *, required: bool = False) -> str:
        value = self.values.get(key) or ""
        if not isinstance(value, str) or len(value) > 2000 or "\x00" in value:
            raise self.wrong(key, "a text of at most 2000 characters")
        if required and not value:
            raise self.wrong(key, "given")
        return value

    def texts(self, key: str) -> list[str]:
        value = self.values.get(key) or []
        if not isinstance(value, list) or not all(isinstance(one, str) and one for one in value):
            raise self.wrong(key, "a list of texts")
        return value

    def items(self, key: str) -> list[Mapping[str, Any]]:
        value = self.values.get(key) or []
        if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
            raise self.wrong(key, "a list of objects")
        return value

    def day(self, key: str) -> date | None:
        value = self.text(key)
        if not value:
            return None
        try:
            if not _DAY.fullmatch(value):
                raise ValueError
            return date.fromisoformat(value)
        except ValueError:
            raise self.wrong(key, "a day such as 2026-12-11") from None

    def stand(self, key: str) -> str:
        """Return as of when something is said: a day, or a month where no day is known.

        Sources are ranked by it, so it has to be a date. The time of a timestamp says nothing here.
        """
        value = self.text(key, required=True)[:10]
        try:
            if _MONTH.fullmatch(value):
                date.fromisoformat(f"{value}-01")
            elif _DAY.fullmatch(value):
                date.fromisoformat(value)
            else:
                raise ValueError
        except ValueError:
            raise self.wrong(key, "a day such as 2026-12-11, or a month") from None
        return value

    def count(self, key: str, *, most: int = 10**15) -> int | None:
        value = self.values.get(key)
        if value is not None and (type(value) is not int or not 0 <= value <= most):
            raise self.wrong(key, f"a whole number from 0 to {most}")
        return value

    def one_of(self, key: str, allowed: tuple[str, ...]) -> str:
        value = self.text(key)
        if value not in allowed:
            raise self.wrong(key, "one of " + ", ".join(filter(None, allowed)))
        return value


def _rows(body: dict[str, Any], key: str) -> list[_Row]:
    values = body.get(key)
    if not isinstance(values, list):
        raise CatalogueUnreadable(f"The document has no list {key!r}.")
    return [_Row(_mapping(value, f"{key}[{n}]"), f"{key}[{n}]") for n, value in enumerate(values)]


def _mapping(value: object, where: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise CatalogueUnreadable(f"{where} is not an object.")
    return value


def _text(body: dict[str, Any], key: str) -> str:
    return _Row(body, "The document").text(key, required=True)
