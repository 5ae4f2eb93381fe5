"""What other parts ask of cutovers."""

from __future__ import annotations

from fleet.cutovers.queries.cutovers import cutover_for, cutovers_for, cutovers_seen

__all__ = ["cutover_for", "cutovers_for", "cutovers_seen"]
