"""Sweeps of the campaigns; the beat rings them, and each may run twice at once."""

from __future__ import annotations

from celery import shared_task

from fleet.campaigns.actions import (
    advancing,
    describing,
    falling_due,
    following,
    joining,
    opening,
    reminding,
    responding,
)
from registry.actors import Actor

CAMPAIGNS = Actor.system("campaigns")


@shared_task(name="campaigns.follow", ignore_result=True)  # type: ignore[untyped-decorator]
def follow() -> None:
    """Open campaigns for what ends or changes, and bring those there are in step."""
    following.follow_changes(actor=CAMPAIGNS)
    opening.open_due(actor=CAMPAIGNS)
    responding.open_for_changes(actor=CAMPAIGNS)
    opening.end_settled(actor=CAMPAIGNS)


@shared_task(name="campaigns.look_for_agents", ignore_result=True)  # type: ignore[untyped-decorator]
def look_for_agents() -> None:
    """Look for agents that began to touch a model, or stopped."""
    joining.look_for_agents(actor=CAMPAIGNS)
    describing.describe_moves(actor=CAMPAIGNS)


@shared_task(name="campaigns.advance", ignore_result=True)  # type: ignore[untyped-decorator]
def advance() -> None:
    """Take moves on as their evaluations and cutovers say."""
    advancing.advance_moves(actor=CAMPAIGNS)


@shared_task(name="campaigns.remind_owners", ignore_result=True)  # type: ignore[untyped-decorator]
def remind_owners() -> None:
    """Tell owners what there is to do, and until when."""
    reminding.remind_owners(actor=CAMPAIGNS)


@shared_task(name="campaigns.carry_out_rules", ignore_result=True)  # type: ignore[untyped-decorator]
def carry_out_rules() -> None:
    """Carry out what is to happen at a deadline that has come."""
    falling_due.carry_out_rules(actor=CAMPAIGNS)
