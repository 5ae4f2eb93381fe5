"""How an end is told as JSON, on the page's download and on the API alike."""

from __future__ import annotations

from typing import Any

from fleet.campaigns.queries.calendar import End


def end_told(end: End) -> dict[str, Any]:
    """Return one end as JSON holds it."""
    told: dict[str, Any] = {
        "model": end.model or None,
        "name": end.name,
        "platform": end.platform,
        "vendor": end.vendor or None,
        "announced_on": end.announced_on.isoformat() if end.announced_on else None,
        "retires_on": end.ends_on.isoformat(),
        "date_precision": end.precision or "exact",
        "days_left": end.days_left,
        "standing": end.standing,
        "replacements": end.replacements,
        "source": end.source,
        "source_kind": end.source_words,
        "as_of": end.as_of,
        "other_dates": [day.isoformat() for day in end.other_dates],
        "exposure": None,
    }
    if end.exposure is not None:
        told["exposure"] = {
            "agents": end.exposure.agents,
            "calling": end.exposure.calling,
            "owners": end.exposure.owners,
            "calls": end.exposure.calls,
            "cost_micros": end.exposure.cost_micros,
        }
    return told
