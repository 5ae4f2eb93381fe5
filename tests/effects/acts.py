"""Connections, operations and approved actions, made directly: the smallest that can be sent."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.db import transaction

from effects.acting import canonical_action
from effects.models import Connection, Effect, Operation, Proposal
from kernel import clock
from kernel.canonical import canonical, digest, digest_bytes
from kernel.refs import new_id
from ledger.models import Entry
from ledger.record import record
from ledger.verbs import Verb
from registry.actors import Actor
from registry.models import Agent
from tests.factories import make_agent, make_key, make_person

EXECUTOR = Actor.system("executor")
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"memo": {"type": "string"}, "amount": {"type": "integer"}},
    "required": ["memo"],
    "additionalProperties": False,
}
TEMPLATE: dict[str, Any] = {
    "method": "POST",
    "path": "/notes",
    "json": {"memo": {"$argument": "/memo"}, "amount": {"$argument": "/amount", "absent": "omit"}},
    "reference": "/id",
}
NATIVE: dict[str, Any] = TEMPLATE | {"idempotency_header": "Idempotency-Key"}
LOOKUP: dict[str, Any] = {
    "path": "/notes",
    "query": {"key": {"$key": True}},
    "done": {"pointer": "/items/0/key", "equals": {"$key": True}},
    "reference": "/items/0/id",
    "settle_seconds": 1,
}


def make_connection(name: str = "crm", **over: Any) -> Connection:
    now = clock.now()
    given: dict[str, Any] = {
        "public_id": new_id("con"),
        "name": name,
        "title": name.upper(),
        "adapter": "http",
        "settings": {"base_url": "http://127.0.0.1:1", "timeout_seconds": 5},
        "allow_private": True,
        "added_by": "system:test",
        "added_at": now,
        "changed_at": now,
    }
    return Connection.objects.create(**given | over)


def make_operation(
    connection: Connection | None = None, name: str = "note", **over: Any
) -> Operation:
    given: dict[str, Any] = {
        "public_id": new_id("opn"),
        "connection": connection or make_connection(),
        "name": name,
        "version": 1,
        "title": name.capitalize(),
        "effect": "write",
        "is_reversible": True,
        "idempotency": "none",
        "arguments_schema": SCHEMA,
        "template": TEMPLATE,
        "added_by": "system:test",
        "added_at": clock.now(),
    }
    given |= over
    if given["idempotency"] == "native" and "template" not in over:
        given["template"] = NATIVE
    if given["idempotency"] == "lookup" and "lookup" not in over:
        given["lookup"], given["template"] = LOOKUP, NATIVE
    return Operation.objects.create(**{"digest": digest(given["template"])} | given)


def make_approved(
    operation: Operation,
    agent: Agent | None = None,
    arguments: dict[str, Any] | None = None,
    **over: Any,
) -> Proposal:
    """Make an action that everybody agreed to, and nobody has sent."""
    agent = agent or _agent()
    now = clock.now()
    key = agent.keys.first() or make_key(agent)[0]
    given: dict[str, Any] = {
        "public_id": new_id("prp"),
        "agent": agent,
        "version": agent.current_version,
        "operation": operation,
        "key_id": key.public_id,
        "idempotency_key": new_id("idk"),
        "request_digest": "sha256:0",
        "state": "approved",
        "constraints": {"receipt_level": "L0"},
        "created_at": now,
        "expires_at": now + timedelta(hours=1),
        "decided_at": now,
    }
    proposal = Proposal(**given | over)
    action, _ = canonical_action(proposal, operation, arguments or {"memo": "hello"})
    written = canonical(action)
    with transaction.atomic():
        entry = record(
            Verb.NOTE_REPORTED,
            proposal.ref,
            actor=agent.ref,
            kind=Entry.Kind.PROPOSAL,
            agent_id=agent.public_id,
            payload=written,
        )
        proposal.action_digest = proposal.decided_digest = digest_bytes(written)
        proposal.action_entry = proposal.decided_entry = entry.entry_id
        proposal.save(force_insert=True)
    return proposal


def _agent() -> Agent:
    found = Agent.objects.filter(name="clerk").first()
    return found or make_agent("clerk", owner=make_person("olga"), stage="live")


def effect_of(proposal: Proposal) -> Effect:
    return Effect.objects.get(proposal=proposal)


def state_of(proposal: Proposal) -> str:
    return Proposal.objects.values_list("state", flat=True).get(pk=proposal.pk)


def verbs_of(proposal: Proposal) -> list[str]:
    rows = Entry.objects.filter(subject=str(proposal.ref), kind="effect").order_by("id")
    return list(rows.values_list("verb", flat=True))


def lose_leases() -> None:
    """Let the time of every lease be over, as if a worker had died long ago."""
    past = clock.now() - timedelta(seconds=1)
    Effect.objects.filter(leased_until__isnull=False).update(leased_until=past)


def let_time_come() -> None:
    """Let every pause be over."""
    past = clock.now() - timedelta(seconds=1)
    Effect.objects.filter(again_at__isnull=False).update(again_at=past)
