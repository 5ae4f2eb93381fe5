"""Which agents may hold a credential now: those that may act, and that no stop covers."""

from __future__ import annotations

from collections.abc import Iterable

from registry.models import Agent
from routing.queries.stops import in_force, stops_on_agent


class ActingAgents:
    """Answers the leases: whether an agent may hold anything now."""

    def may_hold(self, agent_id: str) -> bool:
        agent = Agent.objects.filter(public_id=agent_id).select_related("owner", "team").first()
        return agent is not None and agent.is_callable and not stops_on_agent(agent)

    def stopped(self, agent_ids: Iterable[str]) -> set[str]:
        wanted = set(agent_ids)
        agents = Agent.objects.filter(public_id__in=wanted).select_related("owner", "team")
        any_stop = in_force().exists()
        acting = {
            agent.public_id
            for agent in agents
            if agent.is_callable and not (any_stop and stops_on_agent(agent))
        }
        return wanted - acting
