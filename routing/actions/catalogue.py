"""Loading the catalogue: facts in, nothing lost, models brought in step.

A row is named by what it speaks of and where it was read, so loading twice changes
nothing. Which of several sources counts is worked out over the whole table: the newest
as_of, and among equals the vendor's own page before a collection.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import timedelta

from django.db import connection, transaction
from django.db.models import Q, QuerySet

from kernel import clock
from kernel.canonical import digest_bytes
from kernel.refs import Ref
from ledger.entries import Fact
from ledger.record import record
from ledger.verbs import Verb
from registry.actors import Actor
from registry.models import Role
from routing.actions.changes import State, note_rows
from routing.actions.linking import relink
from routing.catalogue.formats import Document, LifecycleFact, PriceFact, read_document
from routing.catalogue.platforms import DATA
from routing.errors import CatalogueUnreadable
from routing.models import CatalogueLoad, LifecycleRow, Model, Price
from routing.queries.catalogue import NOTHING_KNOWN, Row, catalogue_states

SHIPPED = ("lifecycle", "prices")
SHIPPED_WITH = "shipped"
_LOCK = 0x0CA7A106

_LIFECYCLE_KEY = (
    "platform", "model_id", "model_version", "source_url", "obtained_via", "as_of",
)  # fmt: skip
_LIFECYCLE_REST = (
    "provider", "canonical_id", "status", "announced_on", "deprecated_on", "retires_on",
    "date_precision", "replacement", "aliases", "note", "loaded_at", "document", "is_shipped",
)  # fmt: skip
_PRICE_KEY = ("platform", "model_id")
_PRICE_REST = (
    "currency", "input_micros_per_mtok", "output_micros_per_mtok",
    "cached_input_micros_per_mtok", "context_tokens", "source", "as_of", "loaded_at",
)  # fmt: skip

_RANK = """
WITH aged AS (
    SELECT *,
           -- An older edition of a document that is not ours says nothing beside its newer one.
           NOT is_shipped AND as_of < max(as_of) OVER (
               PARTITION BY platform, canonical_id, model_version, document
           ) AS outdated,
           is_shipped OR (retires_on IS NULL AND status = '') AS yields
    FROM routing_lifecyclerow
), ranked AS (
    SELECT id,
           row_number() OVER (
               PARTITION BY platform, canonical_id, model_version
               ORDER BY outdated, yields, as_of DESC, (obtained_via LIKE 'litellm%%'),
                        (retires_on IS NULL), id
           ) = 1 AS current,
           CASE WHEN min(retires_on) OVER same IS DISTINCT FROM max(retires_on) OVER same
                THEN array_agg(retires_on) OVER same END AS dates
    FROM aged
    WINDOW same AS (PARTITION BY platform, canonical_id, model_version)
), settled AS (
    SELECT id, current, ARRAY(
        SELECT DISTINCT day FROM unnest(dates) AS day WHERE day IS NOT NULL ORDER BY day
    ) AS dates FROM ranked
)
UPDATE routing_lifecyclerow AS row SET is_current = settled.current,
       conflicting_dates = settled.dates
FROM settled
WHERE row.id = settled.id AND (row.is_current, row.conflicting_dates)
      IS DISTINCT FROM (settled.current, settled.dates)
"""


@dataclass(frozen=True, slots=True)
class Loaded:
    """What loading one document came to."""

    name: str
    rows: int
    models_changed: int
    digest: str
    unchanged: bool = False


@transaction.atomic
def load_catalogue(raw: bytes, *, actor: Actor, came_from: str, name: str = "") -> Loaded:
    """Load one catalogue document and bring every model in step with it.

    A document that was the last one loaded under its name is not loaded again.
    Records: catalogue.loaded, lifecycle.changed, and model.changed for each model that differs.
    Raises: RoleMissing, CatalogueUnreadable, NotJSON.
    """
    actor.require(Role.PLATFORM)
    return load_document(read_document(raw), actor=actor, came_from=came_from, name=name)


@transaction.atomic
def load_document(document: Document, *, actor: Actor, came_from: str, name: str = "") -> Loaded:
    """Load a document that was read already. Records: as load_catalogue. Raises: RoleMissing."""
    actor.require(Role.PLATFORM)
    if name:
        document = replace(document, name=name)
    if came_from != SHIPPED_WITH:
        _refuse_tomorrows(document)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
    if CatalogueLoad.objects.filter(name=document.name, digest=document.digest).exists():
        return Loaded(document.name, document.rows, 0, document.digest, unchanged=True)
    before = catalogue_states({fact.platform for fact in document.lifecycle})
    _store(document, is_shipped=came_from == SHIPPED_WITH)
    noted = _note_rows(before, document, actor)
    changed = relink(_models(), actor=actor.ref)
    facts: dict[str, Fact] = {
        "digest": document.digest,
        "title": document.title,
        "as_of": document.as_of,
        "from": came_from,
        "lifecycle_rows": len(document.lifecycle),
        "price_rows": len(document.prices),
        "models_changed": changed,
        "changes": noted,
    }
    record(Verb.CATALOGUE_LOADED, Ref("catalogue", document.name), actor=actor.ref, facts=facts)
    return Loaded(document.name, document.rows, changed, document.digest)


def _refuse_tomorrows(document: Document) -> None:
    # A word from the future would outrank every later one, also that of its own publisher.
    tomorrow = (clock.now() + timedelta(days=1)).date().isoformat()
    for fact in document.lifecycle:
        if fact.as_of > tomorrow:
            raise CatalogueUnreadable(
                f"What is said of {fact.model_id} is dated {fact.as_of}, which is still to come.",
                key="as_of",
            )


def load_shipped_catalogue(*, actor: Actor) -> list[Loaded]:
    """Load what ships with this version, unless it is loaded already.

    The digest of the bytes is compared before they are parsed: an ordinary start reads two
    files and asks one question.
    Records: catalogue.loaded, for each document that differs.
    """
    stored = dict(CatalogueLoad.objects.filter(name__in=SHIPPED).values_list("name", "digest"))
    results = []
    for name in SHIPPED:
        raw = (DATA / f"{name}.json").read_bytes()
        digest = digest_bytes(raw)
        if stored.get(name) == digest:
            results.append(Loaded(name, 0, 0, digest, unchanged=True))
        else:
            results.append(load_catalogue(raw, actor=actor, came_from=SHIPPED_WITH, name=name))
    return results


@transaction.atomic
def drop_document(name: str, *, actor: Actor) -> int:
    """Take the rows of a document out of the catalogue, and bring models in step without them.

    Records: lifecycle.changed, model.changed for each model that differs. Raises: RoleMissing.
    """
    actor.require(Role.PLATFORM)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
    number, _ = LifecycleRow.objects.filter(document=name).delete()
    CatalogueLoad.objects.filter(name=name).delete()
    with connection.cursor() as cursor:
        cursor.execute(_RANK)
    relink(_models(), actor=actor.ref)
    return number


def _models() -> QuerySet[Model]:
    locked = Model.objects.select_related("vendor").select_for_update(of=("self",))
    return locked.order_by("id")


def _note_rows(before: Mapping[Row, State], document: Document, actor: Actor) -> int:
    """Note what changed of the catalogue itself; a first load changes nothing, it begins."""
    if not before:
        return 0
    after = catalogue_states({fact.platform for fact in document.lifecycle})
    changes = [
        (key[0], state["model_id"], before.get(key, NOTHING_KNOWN), state, state["source_url"])
        for key, state in after.items()
        if state != before.get(key)
    ]
    return note_rows(changes, name=document.name, actor=actor.ref)


def _store(document: Document, *, is_shipped: bool) -> None:
    now = clock.now()
    lifecycle = {_lifecycle_key(fact): fact for fact in document.lifecycle}
    LifecycleRow.objects.bulk_create(
        [
            LifecycleRow(
                **asdict(fact), loaded_at=now, document=document.name, is_shipped=is_shipped
            )
            for fact in lifecycle.values()
        ],
        batch_size=500,
        update_conflicts=True,
        unique_fields=_LIFECYCLE_KEY,
        update_fields=_LIFECYCLE_REST,
    )
    if lifecycle:
        with connection.cursor() as cursor:
            cursor.execute(_RANK)
    prices = {(fact.platform, fact.model_id): fact for fact in document.prices}
    _store_prices(prices.values(), document)
    CatalogueLoad.objects.update_or_create(
        name=document.name,
        defaults={
            "digest": document.digest,
            "title": document.title,
            "as_of": document.as_of,
            "rows": document.rows,
            "loaded_at": now,
        },
    )


def _store_prices(prices: Iterable[PriceFact], document: Document) -> None:
    now = clock.now()
    Price.objects.bulk_create(
        [Price(**asdict(fact), loaded_at=now) for fact in prices],
        batch_size=500,
        update_conflicts=True,
        unique_fields=_PRICE_KEY,
        update_fields=_PRICE_REST,
    )
    if document.prices:
        # A price that its own list no longer has is no longer a price.
        collection = document.title.split(" ")[0]
        of_it = Q(source=collection) | Q(source__startswith=f"{collection} ")
        Price.objects.filter(of_it, loaded_at__lt=now).delete()


def _lifecycle_key(fact: LifecycleFact) -> tuple[str, ...]:
    return tuple(getattr(fact, name) for name in _LIFECYCLE_KEY)
