"""The end of a demo agent goes with the demo: it is no evidence of anything."""

from __future__ import annotations

from fleet.retiring.models import Retirement
from registry.actors import Actor
from registry.models import Agent, Role


def forget_ends(agent: Agent, *, actor: Actor) -> None:
    """Remove the plans and tombstones of a demo agent; others stay. Raises: RoleMissing."""
    actor.require(Role.PLATFORM)
    Retirement.objects.filter(agent=agent, agent__is_demo=True).delete()
