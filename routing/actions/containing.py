"""Proving that a stop holds: every path is probed, and only then is it called contained.

Owns the verdict and its record. It is asked after the commit, never inside the transaction
that stops something: what nobody can see yet holds nowhere.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from django.db import transaction

from kernel.refs import Ref
from ledger.entries import Fact
from ledger.record import record
from ledger.verbs import Verb
from registry.actors import Actor
from routing.containment.paths import BEYOND, CONTAINED, OPEN, Evidence, Probe, registered_paths
from routing.errors import StopLifted
from routing.models import Stop
from routing.queries.stops import Subject, require_office, subject_of

SECONDS: Final = 5.0
_KINDS: Final = {"owner": "person"}


@dataclass(frozen=True, slots=True)
class Containment:
    """What became of a stop: contained, or not and by which path."""

    subject: Subject
    evidence: tuple[Evidence, ...]
    milliseconds: int

    @property
    def is_contained(self) -> bool:
        return all(each.state != OPEN for each in self.evidence)

    @property
    def verdict(self) -> str:
        return "contained" if self.is_contained else "NOT contained"

    def of(self, state: str) -> list[Evidence]:
        return [each for each in self.evidence if each.state == state]

    def facts(self) -> dict[str, Any]:
        return {
            "contained": self.is_contained,
            "verdict": self.verdict,
            "milliseconds": self.milliseconds,
            "paths": [each.facts() for each in self.evidence],
        }


def contain(
    subject: Subject,
    *,
    actor: Actor,
    stop: Stop | None = None,
    seconds: float = SECONDS,
    tell: Callable[[Evidence], None] = lambda _: None,
) -> Containment:
    """Probe every path of a subject until all are closed or the time is over.

    Records: containment.proven or containment.failed.
    """
    began = time.monotonic()
    probe = Probe(subject, stop.public_id if stop is not None else "", seconds, tell)
    evidence = tuple(found for path in registered_paths() for found in path.probe(probe))
    took = int((time.monotonic() - began) * 1000)
    found = Containment(subject, evidence, took)
    _keep(found, stop, actor)
    return found


def contain_stop(
    stop: Stop,
    *,
    actor: Actor,
    seconds: float = SECONDS,
    tell: Callable[[Evidence], None] = lambda _: None,
) -> Containment:
    """Prove a stop in force, for those who may place it.

    Records: containment.proven or containment.failed. Raises: StopLifted, MayNotStop.
    """
    if not stop.is_in_force:
        raise StopLifted(f"Stop {stop.public_id} was lifted.")
    subject = subject_of(stop, actor)
    require_office(actor, subject)
    return contain(subject, actor=actor, stop=stop, seconds=seconds, tell=tell)


@transaction.atomic
def _keep(found: Containment, stop: Stop | None, actor: Actor) -> None:
    if stop is not None:
        stop.last_report = found.facts()
        stop.save(update_fields=["last_report"])
    subject = found.subject
    ref = Ref(_KINDS.get(subject.scope, subject.scope), subject.id)
    facts: dict[str, Fact] = {
        "scope": subject.scope,
        "stop": stop.public_id if stop is not None else "",
        "milliseconds": found.milliseconds,
        "contained": [each.path for each in found.of(CONTAINED)],
        "open": [f"{each.path}: {each.detail}" for each in found.of(OPEN)],
        "beyond_reach": [f"{each.path}: {each.detail}" for each in found.of(BEYOND)],
    }
    record(
        Verb.CONTAINMENT_PROVEN if found.is_contained else Verb.CONTAINMENT_FAILED,
        ref,
        actor=actor.ref,
        facts=facts,
        agent_id=subject.agent.public_id if subject.agent is not None else "",
    )
