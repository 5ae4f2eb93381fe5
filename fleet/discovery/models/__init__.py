"""What was found and is not registered, what says so, and the readings that found it."""

from __future__ import annotations

from fleet.discovery.models.finding import Evidence, Finding, MergeKey, NamedModel
from fleet.discovery.models.intake import Reading, Source

__all__ = ["Evidence", "Finding", "MergeKey", "NamedModel", "Reading", "Source"]
