"""A matter of the tests' own: an errand with arguments that a decider may change."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from approvals.actions import Question, ask
from approvals.models import Review
from approvals.ports import Matter, bind_matter, matter_of
from kernel.canonical import digest
from kernel.refs import Ref
from ledger.models import Entry
from registry.actors import Actor
from registry.models import Person
from tests.factories import actor

KIND = Review.Kind.GRANT.value


@dataclass
class Errand:
    """What is to be done, in memory; the review holds its digest."""

    arguments: Mapping[str, Any]
    agent_id: str = ""
    shut_out: set[str] = field(default_factory=set)
    owners: set[str] = field(default_factory=set)
    ends: list[str] = field(default_factory=list)

    @property
    def digest(self) -> str:
        return digest(dict(self.arguments))

    def present_digest(self) -> str | None:
        return self.digest

    def barred(self) -> set[str]:
        return self.shut_out | self.owners

    def owner_ids(self) -> set[str]:
        return self.owners

    def edit(self, arguments: Mapping[str, Any], *, actor: Actor) -> str:
        self.arguments = arguments
        return self.digest

    def approve(self, *, actor: Actor) -> None:
        self.ends.append("approved")

    def refuse(self, *, actor: Actor, reason: str, is_final: bool) -> None:
        self.ends.append("refused")


@contextmanager
def bound(errand: Errand) -> Iterator[Errand]:
    """Let reviews of the kind be about this errand."""
    before = matter_of(KIND)

    def lock(review: Review) -> Matter:
        return errand

    bind_matter(KIND, lock)
    try:
        yield errand
    finally:
        bind_matter(KIND, before or lock)


def put(errand: Errand, requester: Person, *, number: int = 1, **over: Any) -> Review:
    """Ask whether the errand may be done."""
    given: dict[str, Any] = {
        "kind": KIND,
        "subject": Ref("grant", f"grt_{number}"),
        "subject_name": f"errand {number}",
        "digest": errand.digest,
        "text": f"May errand {number} be run?",
        "requester": requester,
        "operation": "run-errand",
    }
    return ask(Question(**given | over), actor=actor(requester))


ALREADY = timedelta(microseconds=1)


def facts_of(verb: str) -> dict[str, Any]:
    """Return the facts of the one entry with this verb."""
    header = json.loads(bytes(Entry.objects.get(verb=verb).header))
    facts: dict[str, Any] = header["facts"]
    return facts
