"""Taking the report of a repository that was scanned where it lies."""

from __future__ import annotations

from typing import Any

from django.db import transaction

from fleet.discovery.actions.noting import Noted, note_sightings
from fleet.discovery.errors import NotYourFinding, ReportNotUsable
from fleet.discovery.models import Finding, Reading
from fleet.discovery.queries.findings import DECIDING
from fleet.discovery.readers import moments
from fleet.discovery.readers.tally import NotReadable
from fleet.discovery.scanning.repositories import read_report
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

    A report of the same repository replaces the one before, so after the first one it is for
    whoever sent that, security and platform: nobody talks another's repository clean.
    Records: reading.done. Raises: RoleMissing, ReportNotUsable, NotYourFinding.
    """
    actor.require(Role.EMPLOYEE, *DECIDING)
    try:
        sightings = read_report(report)
    except NotReadable as error:
        raise ReportNotUsable(str(error)) from None
    named = moments.text(report["repository"], 200)
    _require_own(named, actor)
    noted = note_sightings(sightings, source=REPORT, batch=named.lower())
    row = _done(report, named, noted, actor)
    repository = Finding.objects.filter(pk__in=noted.touched, kind=Finding.Kind.REPOSITORY).first()
    return row, repository


def _require_own(named: str, actor: Actor) -> None:
    if actor.has(*DECIDING):
        return
    first = Reading.objects.filter(kind=REPORT, title=named).order_by("pk").first()
    if first is not None and first.asked_by != str(actor.ref):
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
