"""Taking the report of a repository that was scanned where it lies."""

from __future__ import annotations

from typing import Any

from django.db import transaction

from fleet.discovery.actions.noting import Noted, note_sightings, wait_for_turn
from fleet.discovery.errors import NotYourFinding, ReportNotUsable
from fleet.discovery.models import Finding, MergeKey, Reading
from fleet.discovery.queries.findings import DECIDING
from fleet.discovery.queries.names import name_digest
from fleet.discovery.readers.tally import NotReadable
from fleet.discovery.scanning.repositories import merge_key, name_in, read_report
from fleet.discovery.signs import REPORT
from kernel import clock
from kernel.canonical import digest
from kernel.refs import new_id
from ledger.entries import Fact
from ledger.record import record
from ledger.verbs import Verb
from registry.actors import Actor
from registry.models import Role

_LISTS = ("signs", "models", "keys")


@transaction.atomic
def take_report(report: Any, *, actor: Actor) -> tuple[Reading, Finding | None]:
    """Store what the scanner found; nothing in the repository is a finding of none.

    A report of the same repository replaces what was known of it, so once it is known it is for
    whoever first sent a report of it, security and platform: nobody talks another's repository
    clean.
    Records: reading.done. Raises: RoleMissing, ReportNotUsable, NotYourFinding.
    """
    actor.require(Role.EMPLOYEE, *DECIDING)
    try:
        sightings = read_report(report)
    except NotReadable as error:
        raise ReportNotUsable(str(error)) from None
    named = name_in(report)
    wait_for_turn()  # of two first reports of one repository, one is the first
    _require_own(named, actor)
    noted = note_sightings(sightings, source=REPORT, batch=named.lower())
    row = _done(report, named, noted, actor)
    repository = Finding.objects.filter(pk__in=noted.touched, kind=Finding.Kind.REPOSITORY).first()
    return row, repository


def _require_own(named: str, actor: Actor) -> None:
    if actor.has(*DECIDING):
        return
    first = Reading.objects.filter(kind=REPORT, title__iexact=named).order_by("pk").first()
    digest_of_it = name_digest(merge_key(named))
    is_known = first is not None or MergeKey.objects.filter(digest=digest_of_it).exists()
    if is_known and (first is None or first.asked_by != str(actor.ref)):
        raise NotYourFinding(
            "Somebody else reports this repository. Use their token, or ask security.",
            rule="fleet.reports_repository",
        )


def _done(report: dict[str, Any], named: str, noted: Noted, actor: Actor) -> Reading:
    now = clock.now()
    listed = sum(len(report[name]) for name in _LISTS if isinstance(report.get(name), list))
    row = Reading.objects.create(
        public_id=new_id("rdg"),
        kind=REPORT,
        state=Reading.State.DONE,
        title=named,
        sha256=digest(report).removeprefix("sha256:"),
        lines=listed,
        understood=listed,
        found=len(noted.found),
        seen_again=len(noted.again),
        known=noted.known,
        asked_by=str(actor.ref),
        asked_at=now,
        finished_at=now,
    )
    facts: dict[str, Fact] = {
        "kind": REPORT,
        "found": len(noted.found),
        "seen_again": len(noted.again),
        "sha256": row.sha256,
    }
    record(Verb.READING_DONE, row.ref, actor=actor.ref, facts=facts, stream="discovery:readings")
    return row
