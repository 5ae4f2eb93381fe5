"""The page of the log: how far it is signed and witnessed, what is wrong, how to check it.

For those who govern. It says what an auditor is handed, and what to do when the log stands
still or contradicts a witness.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from kernel.errors import Denied
from ledger.models import SequencerReport
from ledger.standing import LATE, Signer, Standing, growth_by_hour, standing_now
from registry.actors import Actor
from registry.portal import signed_in
from registry.queries import GOVERNING

# A witness that has said nothing for so long, while the tree grew, is worth a word.
_SILENT: Final = timedelta(minutes=1)


@signed_in
@require_GET
def ledger(request: HttpRequest, actor: Actor) -> HttpResponse:
    """Show how the log stands."""
    if not actor.has(*GOVERNING):
        raise Denied("The log is for security, platform and auditors.")
    standing = standing_now()
    newest = standing.newest
    context = {
        "standing": standing,
        "trouble": _trouble(standing),
        "tiles": _tiles(standing),
        "witnesses": _witnesses(standing),
        "growth": _growth(newest.epoch.number) if newest else None,
        "ledger_key": newest.public_key if newest else "",
        "witness_keys": settings.WITNESS_KEYS,
        "verify": _VERIFY,
    }
    return render(request, "fleet/ledger.html", context)


_VERIFY: Final = (
    "# on any machine, with Python and `cryptography`: no database, no access to this service\n"
    "python unsprawl_verify.py export.jsonl --key LEDGER_KEY --witness WITNESS_KEY"
)


def _trouble(standing: Standing) -> list[dict[str, str]]:
    """Say what is wrong, the worst first; a suspension has a place of its own."""
    found = []
    for about, report in sorted(standing.reports.items()):
        if report.state != SequencerReport.State.RUNNING:
            tone = "error" if report.state == SequencerReport.State.HALTED else "warning"
            found.append({"title": _TITLES[about], "text": report.found, "tone": tone})
    if standing.is_late:
        text = "Its process may be down, or one long transaction keeps the others waiting."
        found.append({"title": "The sequencer is behind", "text": text, "tone": "warning"})
    return sorted(found, key=lambda one: one["tone"])


_TITLES: Final = {"sequencer": "The sequencer stands still", "witness": "The witness"}


def _tiles(standing: Standing) -> list[dict[str, Any]]:
    checkpoint, signed = standing.checkpoint, standing.signed
    witnessed = max(standing.witnesses, key=lambda one: one.size, default=None)
    more = "+" if standing.has_most_waiting else ""
    return [
        {"label": "Entries with a place", "value": checkpoint.size if checkpoint else 0,
         "note": f"{standing.waiting:,}{more} wait for one" if standing.waiting else "none waits"},
        {"label": "Signed", "value": signed.size if signed else 0, "at": signed and signed.at},
        {"label": "Witnessed", "value": witnessed.size if witnessed else 0,
         "at": witnessed and witnessed.at},
        {"label": "Lag", "value": _seconds(standing.lag),
         "note": "oldest entry without a place", "is_late": standing.lag > LATE},
    ]  # fmt: skip


def _witnesses(standing: Standing) -> list[tuple[Signer | None, str, str]]:
    """Pair each witness that is configured or has signed with its state."""
    signed = {one.name: one for one in standing.witnesses}
    names = [key.split("+", 1)[0] for key in settings.WITNESS_KEYS]
    rows = []
    for name in [*names, *(name for name in signed if name not in names)]:
        one = signed.get(name)
        behind = (standing.checkpoint.size if standing.checkpoint else 0) - (one.size if one else 0)
        if one is None:
            state = "silent" if standing.checkpoint else "waiting"
        elif behind and standing.seen_at - one.at > _SILENT:
            state = "behind"
        else:
            state = "current"
        rows.append((one, name, state))
    return rows


def _growth(epoch: int) -> dict[str, Any]:
    hours = growth_by_hour(epoch)
    return {
        "times": [int(hour.timestamp()) for hour, _ in hours],
        "series": [{"label": "Entries", "values": [count for _, count in hours]}],
    }


def _seconds(lag: timedelta) -> str:
    seconds = lag.total_seconds()
    if seconds < 120:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:,.0f} min"
