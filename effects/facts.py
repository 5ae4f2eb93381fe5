"""What policy is told of an action, gathered from the rows at this moment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import connection

from effects.models import Operation, Proposal
from kernel import clock
from policy.acting import facts_of_action
from registry.models import Agent

OPEN: Final = (*Proposal.WAITING, *Proposal.UNDER_WAY)
_OPEN: Final = [state.value for state in OPEN]
# Plain SQL: asked for every action that is proposed, the counts twice.
_COUNTS: Final = """
SELECT count(*) FILTER (WHERE created_at > statement_timestamp() - interval '1 hour'),
    count(*) FILTER (WHERE created_at > statement_timestamp() - interval '1 day'),
    count(*) FILTER (WHERE state = ANY(%(open)s))
FROM effects_proposal WHERE agent_id = %(agent)s AND id <> %(but)s
    AND (created_at > statement_timestamp() - interval '1 day' OR state = ANY(%(open)s))
"""
_APPROVED: Final = """
SELECT EXISTS (
    SELECT FROM effects_proposal AS one JOIN effects_operation AS kind ON kind.id = operation_id
    WHERE agent_id = %s AND connection_id = %s AND name = %s AND kind.digest = %s
        AND decided_how = 'people' AND state <> 'denied'
)
"""


@dataclass(frozen=True, slots=True)
class Counts:
    """What an agent proposed lately, and how much of it is not over."""

    hour: int
    day: int
    open: int


def counts_of(agent: Agent, *, but: int = 0) -> Counts:
    """Count an agent's proposals by the database's clock, one of them left out."""
    with connection.cursor() as cursor:
        cursor.execute(_COUNTS, {"agent": agent.pk, "but": but, "open": _OPEN})
        return Counts(*cursor.fetchone())


def gather_facts(
    agent: Agent,
    operation: Operation,
    arguments: Mapping[str, Any],
    counts: Counts,
    *,
    edited: bool = False,
) -> dict[str, Any]:
    """Return the facts of an action. Raises: NotCanonical."""
    return facts_of_action(
        agent=agent_facts(agent, operation),
        action={
            "adapter": operation.connection.adapter,
            "connection": operation.connection.name,
            "operation": operation.name,
            "effect": operation.effect,
            "is_reversible": operation.is_reversible,
            "arguments": dict(arguments),
            "is_new": not was_approved(agent, operation),
        },
        requested_at=clock.now().astimezone(ZoneInfo(str(settings.WORKING_TIME_ZONE))),
        counts=asdict(counts),
        edited=edited,
    )


def was_approved(agent: Agent, operation: Operation) -> bool:
    """Say whether people ever approved an action of exactly this operation for this agent.

    A further version does something else under the name, and is as new as another operation.
    """
    with connection.cursor() as cursor:
        named = operation.name, operation.digest
        cursor.execute(_APPROVED, [agent.pk, operation.connection_id, *named])
        (found,) = cursor.fetchone()
    return bool(found)


def agent_facts(agent: Agent, operation: Operation) -> dict[str, Any]:
    """Return what policy is told of the agent itself; made from its row alone."""
    facts: dict[str, Any] = {
        "name": agent.name,
        "stage": agent.stage,
        "risk_tier": agent.risk_tier,
        "data_classes": list(agent.data_classes),
        "team": agent.team.slug if agent.team is not None else "",
        "owner": agent.owner.public_id,
        "tools": list(agent.tools),
    }
    declared = _declared(agent, operation)
    return facts | ({"declared": declared} if declared else {})


def _declared(agent: Agent, operation: Operation) -> dict[str, Any]:
    """Return what the manifest in force says of this tool beyond its name.

    A tool with a ``*`` at its end speaks of every operation that begins like this. Of several,
    one approval that is required is required, and the cap of the longest name counts.
    """
    version = agent.current_version
    spec = version.manifest.get("spec", {}) if version is not None else {}
    tools = [each for each in spec.get("tools", []) if _speaks_of(each, operation.target)]
    declared: dict[str, Any] = {}
    for tool in sorted(tools, key=lambda each: len(each["name"])):
        if "maxAmount" in tool:
            declared["max_amount"] = tool["maxAmount"]
            declared["currency"] = tool.get("currency", "")
    approvals = {tool["approval"] for tool in tools if "approval" in tool}
    if approvals:
        declared["approval"] = "required" if "required" in approvals else "policy"
    return declared


def _speaks_of(tool: Mapping[str, Any], target: str) -> bool:
    name = str(tool.get("name", ""))
    return name == target or (name.endswith("*") and target.startswith(name[:-1]))
