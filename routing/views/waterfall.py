"""The waterfall of a run: its calls on one time axis.

Idle times are shortened where they would leave nothing to see.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from routing.models import Call

_TONES: Final = {
    "ok": "success", "error": "error", "denied": "warning", "incomplete": "warning",
    "cancelled": "neutral", "unknown": "warning",
}  # fmt: skip
# Where calls fill less of the time than this, the idle times between them are shortened.
SPARSE: Final = 0.1


def waterfall(calls: Sequence[Call]) -> dict[str, Any]:
    """Return the pieces to draw, and whether idle times were shortened."""
    places = [
        (call.started_at.timestamp(), call.started_at.timestamp() + call.duration_ms / 1000)
        for call in calls
    ]
    busy = sum(end - start for start, end in places)
    length = max((end for _, end in places), default=0.0) - min(
        (start for start, _ in places), default=0.0
    )
    is_sparse = len(calls) > 1 and busy < SPARSE * length
    if is_sparse:
        places = _shortened(places, pause=max(busy / len(calls) / 2, 0.001))
    spans = [_span(call, *place) for call, place in zip(calls, places, strict=True)]
    return {"spans": spans, "is_shortened": is_sparse}


def _shortened(places: list[tuple[float, float]], *, pause: float) -> list[tuple[float, float]]:
    """Cut every idle time to a pause; calls that overlap keep their places to each other."""
    cut, latest = 0.0, places[0][0]
    shown = []
    for start, end in places:
        if start - latest > pause:
            cut += start - latest - pause
        shown.append((start - cut, end - cut))
        latest = max(latest, end)
    return shown


def _note(call: Call) -> str:
    notes = ["shadow"] if call.is_shadow else []
    if call.attempt > 1:
        notes.append(f"attempt {call.attempt}")
    if call.status != "ok":
        notes.append(call.get_status_display().lower())
    return ", ".join(notes)


def _span(call: Call, start: float, end: float) -> dict[str, Any]:
    return {
        "label": call.model or call.route,
        "note": _note(call),
        "started_at": start,
        "ended_at": end,
        "tone": "neutral" if call.is_shadow else _TONES.get(call.status, "info"),
        "url": f"#call-{call.intent_id}",
    }
