"""What cutovers ask of their neighbours: whether a drift watch has raised an alert.

Owns the question; `config.wiring` binds who answers. Without one nothing is known of drift.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Protocol

from routing.models import Model


class DriftAlerts(Protocol):
    """Knows what drift watches saw."""

    def since(self, agents: Collection[str], model: Model, moment: datetime) -> dict[str, int]:
        """Return how many alerts there were of a model, by the agents' public ids."""
        ...


class _Bindings:
    drift: DriftAlerts | None = None


def bind_drift(alerts: DriftAlerts | None) -> None:
    """Fill the port; the last binding holds."""
    _Bindings.drift = alerts


def drift_alerts(agents: Collection[str], model: Model, moment: datetime) -> dict[str, int]:
    """Return the alerts since a moment; none where nobody watches."""
    return {} if _Bindings.drift is None else _Bindings.drift.since(agents, model, moment)
