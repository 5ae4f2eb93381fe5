"""Putting on record what people or agents said about evaluations: sealed, under the agent's keys.

Owns under which keys: those of the agent and, where a person's data is in it, of that person,
so that erasing either reaches it.
"""

from __future__ import annotations

from collections.abc import Mapping

from kernel import clock
from kernel.refs import Ref, new_id
from ledger.custody import seal_payload
from ledger.entries import Fact, Fields
from ledger.models import Entry
from ledger.record import append, record
from ledger.subjects import scope_of
from ledger.verbs import Verb
from registry.models import Agent
from routing.gateway.recording.attempt import highest


def record_sealed(  # noqa: PLR0913  one fact, said in one call with named parts
    verb: Verb,
    subject: Ref,
    *,
    actor: Ref,
    agent: Agent,
    payload: bytes,
    tag: str = "",
    facts: Mapping[str, Fact] | None = None,
) -> str:
    """Record a change of an agent's with something sealed beside it; return the entry's id."""
    entry_id = new_id("ent")
    fields = Fields(
        kind=str(Entry.Kind.CHANGE),
        verb=str(verb),
        actor=actor,
        subject=subject,
        recorded_at=clock.now(),
        agent_id=agent.public_id,
        facts=facts,
        payload=seal_payload(
            payload,
            entry_id,
            agent_id=scope_of(agent.public_id, tag),
            data_class=highest(tuple(agent.data_classes)),
        ),
        entry_id=entry_id,
    )
    append(fields, stream=f"agent:{agent.public_id}")
    return entry_id


def record_reading(subject: Ref, *, actor: Ref, agent: Agent, reason: str, payloads: int) -> None:
    """Say that automation opens payloads of an agent, before it does. Records: payload.read."""
    record(
        Verb.PAYLOAD_READ,
        subject,
        actor=actor,
        kind=Entry.Kind.ACCESS,
        facts={"reason": reason, "payloads": payloads},
        agent_id=agent.public_id,
    )
