"""Taking back what was lent: one lease, or all of an agent."""

from __future__ import annotations

from credentials.leasing import ending
from credentials.models import Lease
from effects.queries.leases import lease_for, may_revoke
from registry.actors import Actor
from registry.errors.agents import NotYourAgent
from registry.models import Agent
from registry.queries import agent_for


def revoke_lease(public_id: str, *, actor: Actor, reason: str) -> Lease:
    """Have one lease ended; it says by itself when it is dead, or that it could not be.

    Records: lease.recalled. Raises: LeaseNotFound, LeaseOver, NotYourAgent.
    """
    lease = lease_for(actor, public_id)
    _require(actor, lease.agent_id)
    return ending.revoke_lease(lease.public_id, actor=actor.ref, reason=reason)


def revoke_leases_of(name: str, *, actor: Actor, reason: str) -> tuple[Agent, int]:
    """Have every lease of an agent ended; return the agent and how many were asked to end.

    The agent may borrow again at once: a stop, not this, keeps it from that.

    Records: lease.recalled for each. Raises: AgentNotFound, NotYourAgent.
    """
    agent = agent_for(actor, name)
    _require(actor, agent.public_id)
    return agent, ending.revoke_leases_of(agent.public_id, actor=actor.ref, reason=reason)


def _require(actor: Actor, agent_id: str) -> None:
    if not may_revoke(actor, agent_id):
        raise NotYourAgent(
            "Security, platform and the agent's owners take back what was lent to it.",
            rule="effects.leases",
        )
