"""Retirements of agents, their steps, and what is done to many agents at once."""

from __future__ import annotations

from fleet.retiring.models.batch import Batch, BatchItem
from fleet.retiring.models.retirement import Retirement, Step

__all__ = ["Batch", "BatchItem", "Retirement", "Step"]
