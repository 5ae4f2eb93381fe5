"""Sweeps of the campaigns; the beat rings them, and each may run twice at once."""

from __future__ import annotations

from celery import shared_task

from fleet.campaigns.actions import describing, joining, opening
from registry.actors import Actor

CAMPAIGNS = Actor.system("campaigns")


@shared_task(name="campaigns.follow", ignore_result=True)  # type: ignore[untyped-decorator]
def follow() -> None:
    """Open campaigns for models that end, and bring those there are in step."""
    opening.follow_changes(actor=CAMPAIGNS)
    opening.open_due(actor=CAMPAIGNS)
    opening.end_settled(actor=CAMPAIGNS)


@shared_task(name="campaigns.look_for_agents", ignore_result=True)  # type: ignore[untyped-decorator]
def look_for_agents() -> None:
    """Look for agents that began to touch a model, or stopped."""
    joining.look_for_agents(actor=CAMPAIGNS)
    describing.describe_moves(actor=CAMPAIGNS)
