"""The words, tones and addresses of what agents do, for the home page."""

from __future__ import annotations

from typing import Any, Final

from django.urls import reverse

from approvals.channels.reading import SEEING
from fleet.queries.acting import DENIED_DAYS, Standing, acting_for
from registry.actors import Actor

_WORDS: Final = {
    "unknown": ("action of which nobody knows the end", "actions of which nobody knows the end"),
    "waiting": ("proposal waits for people", "proposals wait for people"),
    "denied": (f"proposal denied in {DENIED_DAYS} days", f"proposals denied in {DENIED_DAYS} days"),
    "demoted": ("agent put back to soft launch", "agents put back to soft launch"),
    "channels": ("channel fails", "channels fail"),
    "leases": ("lease that could not be ended", "leases that could not be ended"),
}
_LOOKS: Final = {
    "unknown": ("circle-help", "error"), "waiting": ("hourglass", "info"),
    "denied": ("ban", "neutral"), "demoted": ("trending-down", "warning"),
    "channels": ("message-square", "error"), "leases": ("key-round", "error"),
}  # fmt: skip


def acting_shown(actor: Actor) -> list[dict[str, Any]]:
    """Return the rows of the panel, those that press most first."""
    rows = [_row(each, actor) for each in acting_for(actor)]
    return sorted(rows, key=lambda row: ("error", "warning", "info", "neutral").index(row["tone"]))


def _row(found: Standing, actor: Actor) -> dict[str, Any]:
    icon, tone = _LOOKS[found.kind]
    return {
        "count": found.count,
        "words": _WORDS[found.kind][found.count != 1],
        "names": ", ".join(found.names),
        "others": found.count - len(found.names) if found.names else 0,
        "icon": icon,
        "tone": tone,
        "url": _url(found, actor),
    }


def _url(found: Standing, actor: Actor) -> str:
    proposals = reverse("effects:proposals")
    if found.kind == "unknown" and actor.has(*SEEING):
        return reverse("effects:unknown")
    if found.kind == "demoted":
        return reverse("registry:agent", args=[found.names[0]])
    return {
        "unknown": f"{proposals}?state=unknown",
        "waiting": f"{proposals}?state=proposed",
        "denied": f"{proposals}?state=denied",
        "channels": reverse("approvals:channels"),
        "leases": f"{reverse('effects:leases')}?state=irrevocable",
    }[found.kind]
