"""What every change of an agent asks first: may this actor, is there a reason, whose turn is it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from registry.actors import Actor
from registry.errors.agents import IllegalTransition, NotYourAgent, ReasonMissing
from registry.models import Agent, Role
from registry.queries import agents as queries

LONGEST_REASON: Final = 2000


def hold(agent: Agent) -> Agent:
    """Lock the agent's row until the transaction ends, and return it as it is now."""
    related = ("owner", "backup_owner", "team", "current_version")
    held = Agent.objects.select_for_update(of=("self",)).select_related(*related)
    return held.get(pk=agent.pk)


def hold_all(agents: Iterable[Agent]) -> list[Agent]:
    """Lock the rows of agents, always in one order, and return them as they are now."""
    related = ("owner", "backup_owner", "team", "current_version")
    held = Agent.objects.select_for_update(of=("self",)).select_related(*related)
    return list(held.filter(pk__in={agent.pk for agent in agents}).order_by("pk"))


def require_answering(actor: Actor, agent: Agent) -> None:
    """Let the owner, the backup owner and the platform pass. Raises: NotYourAgent."""
    if not queries.answers_for(actor, agent):
        raise NotYourAgent(
            "Only the owner, the backup owner or the platform role may do this.",
            rule="registry.answers_for",
        )


def require_owning(actor: Actor, agent: Agent) -> None:
    """Let the owner and the platform pass. Raises: NotYourAgent."""
    if not (queries.owns(actor, agent) or actor.has(Role.PLATFORM)):
        raise NotYourAgent("Only the owner or the platform role may do this.", rule="registry.owns")


def require_stopping(actor: Actor, agent: Agent) -> None:
    """Let those who answer for the agent pass, and security. Raises: NotYourAgent."""
    if not (queries.answers_for(actor, agent) or actor.has(Role.SECURITY)):
        raise NotYourAgent(
            "Only the owner, the backup owner, platform or security may stop an agent.",
            rule="registry.stops",
        )


def stated(reason: str) -> str:
    """Return the reason, trimmed. Raises: ReasonMissing."""
    text = reason.strip()
    if not text:
        raise ReasonMissing("Others will ask; give a reason in a sentence.", field="reason")
    if len(text) > LONGEST_REASON or "\x00" in text:
        raise ReasonMissing(
            f"A reason is plain text of at most {LONGEST_REASON} characters.", field="reason"
        )
    return text


def out_of_turn(agent: Agent, step: str) -> IllegalTransition:
    """Return the refusal of a step that the agent's present state does not allow."""
    agent.refresh_from_db()
    marks = [agent.stage.replace("_", " ")]
    if agent.killed_at is not None:
        marks.append("killed")
    elif agent.is_suspended:
        marks.append("suspended")
    return IllegalTransition(
        f"{agent.name} is {' and '.join(marks)}; it cannot be {step} now.",
        stage=agent.stage,
        suspended=agent.is_suspended,
        killed=agent.killed_at is not None,
    )
