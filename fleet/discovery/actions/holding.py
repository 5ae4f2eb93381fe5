"""Keys that this installation holds: expected in an inventory, and settled by themselves.

Owns that such a key is no news while it is sealed here and nothing else speaks against it; that
it is news as soon as nobody here holds it any more; and that a key which stands in code, or is
used far more than gateways use it, is a finding whoever holds it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from fleet.discovery.models import Evidence, Finding
from fleet.discovery.signs import Flag
from kernel import clock
from kernel.canonical import digest
from kernel.refs import Ref, system
from ledger.entries import Fact
from ledger.record import record
from ledger.verbs import Verb

OF_ITSELF: Final = system("discovery")
_SPEAKS_AGAINST: Final = (Flag.HARD_CODED, Flag.ELSEWHERE)


def signs_of(finding: Finding) -> str:
    """Return a digest of what is known of a finding: what differs later is news."""
    return digest([sorted(finding.flags), sorted(finding.sources), sorted(finding.model_ids)])


def flags_of(rows: Iterable[Evidence], held: set[str]) -> set[str]:
    """Return the signs that all evidence amounts to; `held` are the secrets that are in use."""
    listed = list(rows)
    flags = {flag for row in listed for flag in row.flags}
    ours = [row for row in listed if row.facts.get("held") in held and "held" in row.facts]
    if ours:
        # Its calls came through gateways: that is what it is held for.
        flags = (flags - {Flag.DIRECT.value}) | {Flag.HELD.value}
        if max(ours, key=lambda row: row.recorded_at).facts.get("elsewhere"):
            flags.add(Flag.ELSEWHERE.value)
    return flags


def is_only_held(finding: Finding) -> bool:
    """Say whether a key is held here, and nothing speaks against it."""
    against = {flag.value for flag in _SPEAKS_AGAINST}
    return Flag.HELD.value in finding.flags and not against & set(finding.flags)


def settle_held(finding: Finding, rows: Iterable[Evidence], *, actor: Ref) -> int:
    """Settle a new finding that is a key held here; return 1 if it was one.

    Records: finding.dismissed.
    """
    if not is_only_held(finding):
        return 0
    vendor = next((str(row.facts["held_for"]) for row in rows if "held_for" in row.facts), "")
    moved = Finding.objects.filter(pk=finding.pk, state=Finding.State.NEW).update(
        state=Finding.State.DISMISSED,
        settled_at=clock.now(),
        settled_by=str(actor),
        settled_signs=signs_of(finding),
        reason=f"Vendor {vendor} is connected with this key: its calls go through gateways.",
    )
    if moved:
        facts: dict[str, Fact] = {"kind": finding.kind, "why": "held", "vendor": vendor}
        record(Verb.FINDING_DISMISSED, finding.ref, actor=actor, facts=facts)
    return moved
