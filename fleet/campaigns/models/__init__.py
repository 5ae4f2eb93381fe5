"""Campaigns, their moves, and how far changes were followed."""

from __future__ import annotations

from fleet.campaigns.models.campaign import PAUSE, Campaign, ChangeMark
from fleet.campaigns.models.move import OVER, UNDER_WAY, Move

__all__ = ["OVER", "PAUSE", "UNDER_WAY", "Campaign", "ChangeMark", "Move"]
