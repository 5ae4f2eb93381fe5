"""Cutovers, the agents on their way, and what happened."""

from __future__ import annotations

from fleet.cutovers.models.cutover import BACK_DAYS, Cutover, CutoverAgent, CutoverEvent

__all__ = ["BACK_DAYS", "Cutover", "CutoverAgent", "CutoverEvent"]
