"""What shows that a cutover keeps its promises: how soon it came back, and what is on record."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from fleet.cutovers.models import Cutover, CutoverEvent
from ledger.models import Entry
from routing.models import Call

PROMISED: Final = timedelta(seconds=60)
_BACK: Final = "rolled_back"


@dataclass(frozen=True, slots=True)
class WayBack:
    """The last way back: how long it took to be found, and what still went to the target."""

    event: CutoverEvent
    calls_after: int  # that began on the target in the minute after it
    last_after_ms: int | None

    @property
    def seconds(self) -> float:
        """From a look that found nothing to the last call that began on the target."""
        return ((self.event.since_look_ms or 0) + (self.last_after_ms or 0)) / 1000

    @property
    def is_kept(self) -> bool:
        return self.seconds <= PROMISED.total_seconds()


@dataclass(frozen=True, slots=True)
class Evidence:
    """How many steps there were, how many of them the ledger has, and the way back."""

    steps: int
    recorded: int
    back: WayBack | None


def evidence_of(cutover: Cutover, shifts: Sequence[str]) -> Evidence:
    """Return what is known of a cutover's promises, of the shifts of its agents."""
    events = CutoverEvent.objects.filter(cutover=cutover)
    named = events.exclude(entry_id="").values("entry_id")
    newest = events.filter(kind=_BACK).order_by("-id").first()
    return Evidence(
        steps=events.count(),
        recorded=Entry.objects.filter(entry_id__in=named).count(),
        back=None if newest is None else _way_back(newest, shifts),
    )


def _way_back(event: CutoverEvent, shifts: Sequence[str]) -> WayBack:
    # The index by time is narrow enough: what a gateway had not heard of yet began soon after.
    after = Call.objects.filter(
        started_at__gt=event.at, started_at__lte=event.at + PROMISED, shift__in=shifts, arm="target"
    ).order_by("started_at")
    last = after.last()
    took = None if last is None else round((last.started_at - event.at).total_seconds() * 1000)
    return WayBack(event, after.count(), took)
