"""Where entries about a proposal lie: in its run's stream, or its agent's."""

from __future__ import annotations

from collections.abc import Mapping

from effects.models import Proposal
from ledger.entries import Fact
from ledger.models import Entry
from ledger.record import record
from ledger.verbs import Verb
from registry.actors import Actor
from routing.gateway.recording.attempt import highest


def streams_of(proposal: Proposal) -> tuple[str, str]:
    """Return the stream of a proposal's entries, and that of its agent, where its review lies."""
    agents = f"agent:{proposal.agent.public_id}"
    return proposal.run_id or agents, agents


def say(
    proposal: Proposal,
    verb: Verb,
    facts: Mapping[str, Fact],
    *,
    actor: Actor,
    kind: str = Entry.Kind.CHANGE,
    payload: bytes | None = None,
) -> str:
    """Append a fact about a proposal; return its entry. Records: the verb it is given."""
    added = record(
        verb,
        proposal.ref,
        actor=actor.ref,
        kind=kind,
        facts=facts,
        agent_id=proposal.agent.public_id,
        stream=streams_of(proposal)[0],
        payload=payload,
        data_class=highest(tuple(proposal.agent.data_classes)),
    )
    return added.entry_id
