"""What every story about proposals is made of: a connection, an operation, an agent with a key."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from rest_framework.test import APIClient

from effects.models import Connection, Operation, Proposal
from kernel import clock
from kernel.canonical import digest
from kernel.refs import new_id
from registry.actors import Actor
from registry.models import Agent, AgentKey, Person
from rules.actions.shipping import ensure_shipped_bundle
from tests.factories import Cast, make_agent, make_cast, make_key, make_manifest, make_person

TEXT = {"type": "string"}
NOTE = {
    "type": "object",
    "required": ["customer", "note"],
    "properties": {
        "customer": TEXT,
        "note": TEXT,
        "amount": {"type": "number"},
        "lines": {"type": "array"},
    },
    "additionalProperties": False,
}


@dataclass
class Story:
    """An agent of alice's that may add notes in the CRM, and look customers up there."""

    cast: Cast
    approver: Person
    agent: Agent
    key: AgentKey
    text: str
    connection: Connection

    @property
    def api(self) -> APIClient:
        return api_of(self.text)

    def body(self, key: str = "k-1", target: str = "crm.add-note", **over: Any) -> dict[str, Any]:
        arguments = {"customer": "c-17", "note": "Called back."} | over.pop("arguments", {})
        action = {"adapter": "agent", "target": target, "arguments": arguments}
        return {"run": "nightly", "action": action, "idempotency_key": key} | over

    def propose(self, key: str = "k-1", **over: Any) -> Any:
        return self.api.post("/api/v1/proposals", self.body(key, **over))

    def waiting(self, key: str = "k-1", **over: Any) -> Proposal:
        answer = self.propose(key, **over)
        assert answer.status_code == 202, answer.content
        return Proposal.objects.get(public_id=answer.json()["id"])


def api_of(key: str) -> APIClient:
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {key}")
    return client


def make_connection(name: str = "crm", **over: Any) -> Connection:
    now = clock.now()
    given: dict[str, Any] = {
        "public_id": new_id("con"),
        "name": name,
        "title": name.upper(),
        "adapter": "agent",
        "added_by": "system:test",
        "added_at": now,
        "changed_at": now,
    }
    return Connection.objects.create(**given | over)


def make_operation(connection: Connection, name: str, **over: Any) -> Operation:
    given: dict[str, Any] = {
        "public_id": new_id("opn"),
        "connection": connection,
        "name": name,
        "version": 1,
        "title": name.replace("-", " ").capitalize(),
        "effect": "write",
        "is_reversible": True,
        "idempotency": "none",
        "arguments_schema": NOTE,
        "template": {"tool": name},
        "added_by": "system:test",
        "added_at": clock.now(),
    }
    given |= over
    given["digest"] = digest([given["name"], given["version"], given["arguments_schema"]])
    return Operation.objects.create(**given)


def make_actor_agent(name: str, owner: Person, **over: Any) -> Agent:
    tools = [{"name": "crm.add-note"}, {"name": "crm.find"}]
    manifest = make_manifest(name, tools=tools)
    given = {"stage": "live", "tools": [tool["name"] for tool in tools], "manifest": manifest}
    return make_agent(name, owner=owner, **given | over)


def make_story() -> Story:
    ensure_shipped_bundle(actor=Actor.system("prepare"))
    cast = make_cast()
    connection = make_connection()
    make_operation(connection, "add-note")
    make_operation(connection, "find", effect="read")
    agent = make_actor_agent("note-taker", cast.alice, backup_owner=cast.bob)
    key, text = make_key(agent)
    return Story(cast, make_person("olga", "approver"), agent, key, text, connection)
