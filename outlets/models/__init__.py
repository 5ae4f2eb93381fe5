"""What leaves the ledger for the outside, and where to: exports, targets, schedules, feeds."""

from __future__ import annotations

from outlets.models.export import Export
from outlets.models.feed import Feed
from outlets.models.target import Schedule, Target

__all__ = ["Export", "Feed", "Schedule", "Target"]
