"""Rows of actions as they end, made directly: what they were about does not matter here."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from effects.models import Connection, Correction, Operation, Proposal
from kernel import clock
from kernel.refs import new_id
from registry.models import Agent

_numbers = itertools.count()


def make_operation(target: str = "crm.update", **over: Any) -> Operation:
    place, name = target.split(".")
    now = clock.now()
    connection, _ = Connection.objects.get_or_create(
        name=place,
        defaults={
            "public_id": new_id("con"), "title": place, "adapter": "http", "added_at": now,
            "added_by": "system:test", "changed_at": now,
        },
    )  # fmt: skip
    given: dict[str, Any] = {
        "public_id": new_id("opn"), "connection": connection, "name": name, "version": 1,
        "title": name, "effect": "write", "is_reversible": True, "idempotency": "none",
        "arguments_schema": {"type": "object"}, "template": {}, "digest": "sha256:00",
        "added_by": "system:test", "added_at": now,
    }  # fmt: skip
    found = Operation.objects.filter(connection=connection, name=name).first()
    return found or Operation.objects.create(**given | over)


@dataclass
class Acts:
    """The actions of one agent."""

    agent: Agent

    def judged(self, answer: str, times: int = 1, *, on: str = "crm.update", **over: Any) -> None:
        """So many actions that people approved, edited or rejected; approved ones succeeded."""
        for _ in range(times):
            digest = f"sha256:{next(_numbers)}"
            decided = {"approved": digest, "edited": digest + "x", "rejected": ""}[answer]
            state = "denied" if answer == "rejected" else over.get("state", "succeeded")
            by = {"review_id": "rev_x", "decided_how": "people"}
            given = by | over | {"state": state, "decided_digest": decided}
            made = self.made(on, action_digest=digest, **given)
            if answer == "edited":
                Correction.objects.create(
                    proposal=made, paths=4, paths_changed=1, words=10, words_changed=3,
                    made_at=clock.now(),
                )  # fmt: skip

    def made(self, on: str = "crm.update", *, state: str, **over: Any) -> Proposal:
        now = over.pop("at", clock.now())
        version = self.agent.current_version
        assert version is not None
        is_over = state in {"denied", "expired", "withdrawn", "succeeded", "failed"}
        given: dict[str, Any] = {
            "public_id": new_id("prp"), "agent": self.agent, "version": version,
            "operation": make_operation(on), "key_id": "k", "idempotency_key": new_id("idk"),
            "request_digest": "sha256:r", "action_digest": "sha256:a", "action_entry": "ent_x",
            "state": state, "created_at": now, "expires_at": now + timedelta(days=1),
            "decided_at": None if state == "proposed" else now + timedelta(seconds=60),
            "ended_at": now + timedelta(seconds=61) if is_over else None,
        }  # fmt: skip
        return Proposal.objects.create(**given | over)
