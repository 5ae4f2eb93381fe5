"""Campaigns and their moves."""

from __future__ import annotations

from fleet.campaigns.models.campaign import PAUSE, Campaign
from fleet.campaigns.models.considered import ConsideredChange
from fleet.campaigns.models.move import OVER, UNDER_WAY, Move

__all__ = ["OVER", "PAUSE", "UNDER_WAY", "Campaign", "ConsideredChange", "Move"]
