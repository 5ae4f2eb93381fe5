"""Retirements in the admin, and what can be done to agents that are chosen in their list."""

from __future__ import annotations

from fleet.retiring.admin import batches, retirements

__all__ = ["batches", "retirements"]
