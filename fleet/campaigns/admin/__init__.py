"""Campaigns and their moves in the admin: to look through, and to steer many at once."""

from __future__ import annotations

from fleet.campaigns.admin import campaigns, moves

__all__ = ["campaigns", "moves"]
