"""The last look before a byte leaves: may this agent act, and is this what was decided.

Everything is read anew. The action is made again from the rows and compared with what was
decided, byte by byte; whatever differs, is gone or is stopped voids it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from effects.acting import canonical_action
from effects.actions.claiming import Claim
from effects.adapters import adapter_of
from effects.adapters.adapter import Adapter, Place, Plan, Work
from effects.adapters.errors import ArgumentsRefused, SettingsInvalid
from effects.models import Connection, Operation, Proposal
from effects.places import place_of, work_of
from effects.ruling import judges_still
from kernel.canonical import canonical, digest_bytes, strict_loads
from ledger.errors import EntryNotFound, EvidenceAltered, PayloadAbsent, PayloadShredded
from ledger.payloads import open_recorded
from registry.models import Agent, AgentKey
from routing.queries.stops import stops_on_agent


class Voided(Exception):
    """Raised when an action may not be sent; the word is kept in its outcome."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


@dataclass(frozen=True, slots=True)
class Ready:
    """What is to be sent, and with what."""

    adapter: Adapter
    place: Place
    work: Work
    plan: Plan
    arguments: Mapping[str, Any]
    connection: Connection
    operation: Operation


def require_acting(proposal: Proposal) -> None:
    """Raises: Voided when the agent, its key or the system may not act now."""
    agent = Agent.objects.select_related("owner", "team").get(pk=proposal.agent_id)
    if not agent.is_callable or stops_on_agent(agent):
        raise Voided("agent_stopped")
    key = AgentKey.objects.filter(agent=agent, public_id=proposal.key_id).first()
    # A key that ran out asked while it held; one that was taken back, or is not there, did not.
    if key is None or key.revoked_at is not None:
        raise Voided("key_revoked")
    operation = Operation.objects.select_related("connection").get(pk=proposal.operation_id)
    if operation.connection.disabled_at is not None:
        raise Voided("connection_disabled")
    if operation.retired_at is not None:
        raise Voided("operation_retired")
    if not judges_still(proposal.bundle_digest):
        raise Voided("policy_changed")


def ready(taken: Claim) -> Ready:
    """Return what was decided, made anew. Raises: Voided."""
    proposal = taken.proposal
    require_acting(proposal)
    decided = decided_action(proposal)
    arguments = decided.get("arguments")
    if not isinstance(arguments, dict):
        raise Voided("action:arguments")
    operation = proposal.operation
    connection = operation.connection
    place, work = place_of(connection), work_of(operation)
    try:
        adapter = adapter_of(connection.adapter)
        adapter.check_place(place)
        adapter.check_work(place, work)
        made, plan = canonical_action(proposal, operation, arguments)
    except (SettingsInvalid, ArgumentsRefused):
        raise Voided("action:wire") from None
    if canonical(made) != canonical(decided):
        differing = sorted(
            name for name in {*made, *decided} if made.get(name) != decided.get(name)
        )
        raise Voided(f"action:{','.join(differing)[:200]}")
    return Ready(adapter, place, work, plan, arguments, connection, operation)


def decided_action(proposal: Proposal) -> dict[str, Any]:
    """Return the action that was decided on, as it was recorded. Raises: Voided."""
    try:
        recorded = open_recorded(proposal.decided_entry)
    except (EntryNotFound, PayloadAbsent, PayloadShredded, EvidenceAltered) as error:
        raise Voided(f"payload:{error.code.partition('.')[2]}") from None
    if digest_bytes(recorded) != proposal.decided_digest:
        raise Voided("payload:digest")
    action = strict_loads(recorded)
    if not isinstance(action, dict):
        raise Voided("payload:form")
    return action
