"""What reviewers of a promotion are shown of a soft launch: the port of approvals, filled."""

from __future__ import annotations

from typing import Any

from effects.launch.measuring import has_acted, measure_stage
from effects.launch.minimum import facts_of, minimum_for, missing_of
from effects.models import Demotion
from registry.models import Agent


class MeasuredLaunches:
    """Answers the reviews with figures that are as old as the question."""

    def shown(self, agent: Agent) -> tuple[dict[str, Any], list[str]] | None:
        """Return the figures and what is missing; None for an agent that never acted."""
        if not has_acted(agent):
            return None
        launch, minimum = measure_stage(agent), minimum_for(agent.risk_tier)
        missing = missing_of(launch, minimum)
        facts = facts_of(launch, minimum, missing)
        if (last := last_demotion(agent)) is not None:
            facts["demoted"] = {"rule": last.rule, "reason": last.reason}
        return facts, missing


def last_demotion(agent: Agent) -> Demotion | None:
    """Return the newest demotion of an agent."""
    return Demotion.objects.filter(agent=agent).order_by("-demoted_at").first()
