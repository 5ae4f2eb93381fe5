"""Turning sightings into findings: one for one thing, whoever saw it and how often.

Sightings are stored in parts, each in one transaction under one lock, so two imports at once
find the same thing once. Storing the same sightings again changes nothing but moments.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from typing import Any, Final

from django.db import connection, transaction

from fleet.discovery.actions.judging import judge_again
from fleet.discovery.models import Evidence, Finding, MergeKey, NamedModel
from fleet.discovery.queries.held import Held, brokered_calls, held_keys
from fleet.discovery.queries.names import name_digest
from fleet.discovery.scanning.scan_repository import redacted
from fleet.discovery.signs import Sighting
from kernel import clock
from kernel.refs import new_id

PART: Final = 250
MORE_TIMES: Final = 1.5  # retries and probes of gateways count at the vendor too
MORE_BY: Final = 100
FEW_KEYS: Final = 100  # of a vendor: among more, two characters say too little
_LONGEST: Final = 300


@dataclass(slots=True)
class Noted:
    """What became of some sightings."""

    found: set[int] = field(default_factory=set)
    again: set[int] = field(default_factory=set)
    known: int = 0

    @property
    def touched(self) -> set[int]:
        return self.found | self.again


def note_sightings(sightings: Iterable[Sighting], *, source: str, batch: str) -> Noted:
    """Store what a source saw; ``batch`` names the file or account, so that again is again."""
    noted, waiting = Noted(), iter(sightings)
    while part := list(islice(waiting, PART)):
        with transaction.atomic():
            wait_for_turn()
            changed = _store(part, source, batch, noted)
            noted.known += judge_again(changed)
    return noted


def wait_for_turn() -> None:
    """Let one transaction at a time say what was found; until it ends."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext('unsprawl.discovery'))")


def _store(part: list[Sighting], source: str, batch: str, noted: Noted) -> set[int]:
    digests = {key: name_digest(key) for each in part for key in each.keys}
    rows = MergeKey.objects.filter(digest__in=digests.values()).select_related("finding")
    known = {row.digest: row.finding for row in rows}
    held = held_keys(each.ending for each in part if each.ending)
    changed: set[int] = set()
    evidence: dict[int, Evidence] = {}
    places: dict[int, tuple[Sighting, Finding]] = {}
    for each in part:
        finding = _finding(each, [digests[key] for key in each.keys], known, noted)
        changed.add(finding.pk)
        # A part of one file may speak twice of one thing; the later word counts.
        evidence[finding.pk] = _evidence(each, finding, source, batch)
        if found := held.get(each.ending):
            evidence[finding.pk].facts |= _told_of(found, each)
        if each.kind == Finding.Kind.REPOSITORY:
            places[finding.pk] = (each, finding)
    Evidence.objects.bulk_create(
        evidence.values(),
        update_conflicts=True,
        unique_fields=["finding", "source", "batch"],
        update_fields=[
            "summary", "facts", "flags", "model_ids", "confidence", "calls", "cost_micros",
            "people", "first_seen_at", "last_seen_at", "recorded_at",
        ],
    )  # fmt: skip
    for sighting, finding in places.values():
        _keep_places(sighting, finding)
    changed |= _joined_by_tail({each.tail for each in part if each.tail})
    return set(Finding.objects.filter(pk__in=changed).values_list("pk", flat=True))


def _finding(
    sighting: Sighting, digests: list[str], known: dict[str, Finding], noted: Noted
) -> Finding:
    found = {known[digest].pk: known[digest] for digest in digests if digest in known}
    if found:
        kept = min(found.values(), key=lambda each: (each.is_open, each.pk))
        for other in found.values():
            if other.pk != kept.pk:
                _absorb(other, into=kept)
                known |= {key: kept for key, each in known.items() if each.pk == other.pk}
        if kept.pk not in noted.found:
            noted.again.add(kept.pk)
    else:
        kept = _made(sighting)
        noted.found.add(kept.pk)
    fresh = [digest for digest in dict.fromkeys(digests) if digest not in known]
    MergeKey.objects.bulk_create(MergeKey(finding=kept, digest=digest) for digest in fresh)
    known |= dict.fromkeys(fresh, kept)
    return kept


def _made(sighting: Sighting) -> Finding:
    now = clock.now()
    return Finding.objects.create(
        public_id=new_id("fnd"),
        kind=sighting.kind,
        title=_plain(sighting.title) or sighting.kind,
        vendor=_plain(sighting.vendor),
        first_seen_at=_past(sighting.seen_from, now),
        last_seen_at=_past(sighting.seen_to, now),
        found_at=now,
    )


def _told_of(held: Held, sighting: Sighting) -> dict[str, object]:
    """Say that the key is sealed here, and whether its vendor counts more than gateways made."""
    told: dict[str, object] = {"held": held.secret, "held_for": held.vendor}
    if sighting.has_requests and sighting.seen_from is not None and sighting.seen_to is not None:
        ours = brokered_calls(held.vendor, sighting.seen_from.date(), sighting.seen_to.date())
        told["brokered"] = ours
        told["elsewhere"] = sighting.calls > MORE_TIMES * ours + MORE_BY
    return told


def _evidence(sighting: Sighting, finding: Finding, source: str, batch: str) -> Evidence:
    now = clock.now()
    facts = dict(
        _clean(sighting.facts) | {"names": [_plain(each) for each in sighting.names if each]}
    )
    if sighting.tail:
        facts["tail"] = sighting.tail
    return Evidence(
        finding=finding,
        source=source,
        batch=batch,
        summary=_plain(sighting.summary),
        facts=facts,
        flags=sorted(sighting.flags),
        model_ids=[_plain(each) for each in sighting.models],
        confidence=sighting.confidence,
        calls=sighting.calls,
        cost_micros=sighting.cost_micros,
        people=[
            {"who": _plain(hint.who), "why": hint.why, "confidence": hint.confidence}
            for hint in sighting.hints
        ],
        first_seen_at=_past(sighting.seen_from, now),
        last_seen_at=_past(sighting.seen_to, now),
        recorded_at=now,
    )


def _keep_places(sighting: Sighting, finding: Finding) -> None:
    # A scan is of the whole repository: what it does not name any more is gone.
    NamedModel.objects.filter(finding=finding).delete()
    NamedModel.objects.bulk_create(
        (
            NamedModel(
                finding=finding,
                path=_plain(place.path),
                line=place.line,
                model_id=_plain(place.model_id),
                is_weak=place.is_weak,
            )
            for place in sighting.places
        ),
        ignore_conflicts=True,
        batch_size=500,
    )


def _joined_by_tail(tails: set[str]) -> set[int]:
    """Join a key in code with the one key of the vendor's inventory that ends the same.

    Vendors show no more than the last characters, and of a key in code two are kept; where
    one key alone fits, among few, it is very probably that one. The reason is shown.
    """
    if not tails:
        return set()
    ending: dict[str, dict[int, Finding]] = {}
    for row in Evidence.objects.filter(facts__tail__in=sorted(tails)).select_related("finding"):
        ending.setdefault(str(row.facts["tail"]), {})[row.finding_id] = row.finding
    joined = set()
    for found in ending.values():
        in_code = [each for each in found.values() if each.kind == Finding.Kind.HARD_CODED_KEY]
        listed = [each for each in found.values() if each.kind == Finding.Kind.VENDOR_KEY]
        if len(in_code) == len(listed) == 1 and _are_few(listed[0].vendor):
            _absorb(in_code[0], into=listed[0])
            joined.add(listed[0].pk)
    return joined


def _are_few(vendor: str) -> bool:
    keys = Finding.objects.filter(kind=Finding.Kind.VENDOR_KEY, vendor=vendor)
    return keys.count() <= FEW_KEYS


def _absorb(finding: Finding, *, into: Finding) -> None:
    """Let two findings be one; what speaks of the one speaks of the other from now on."""
    held = set(Evidence.objects.filter(finding=into).values_list("source", "batch"))
    for row in Evidence.objects.filter(finding=finding):
        if (row.source, row.batch) in held:
            continue
        row.finding = into
        row.save(update_fields=["finding"])
    MergeKey.objects.filter(finding=finding).update(finding=into)
    NamedModel.objects.filter(finding=finding).update(finding=into)
    finding.delete()


def _past(moment: datetime | None, now: datetime) -> datetime:
    # A clock that is ahead would keep a thing "seen" for years, and open it again for ever.
    return min(moment or now, now)


def _plain(text: str) -> str:
    # People name keys after themselves, and machines write them where a name belongs.
    told = redacted(text[: 2 * _LONGEST])[:_LONGEST]
    return "".join(each for each in told if each.isprintable()).strip()


def _clean(value: Any) -> Any:
    """Return what a source says of a thing without any key that stands in it."""
    if isinstance(value, str):
        return redacted(value)
    if isinstance(value, list | tuple):
        return [_clean(each) for each in value]
    if isinstance(value, dict):
        return {_clean(name): _clean(each) for name, each in value.items()}
    return value
