"""Asking a bundle about facts without anything coming of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from kernel.canonical import strict_loads
from kernel.errors import DomainError
from policy.bundle import Bundle as Judging
from policy.cases import answered
from policy.decision import Decision
from policy.engine import Judge
from policy.facts import MAX_QUESTION_BYTES
from registry.actors import Actor
from registry.queries.agents import GOVERNING
from rules.errors import FactsUnreadable
from rules.judging import judge_facts
from rules.queries.bundles import bundle_for


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back, and how long it took, the way to the engine and back included."""

    decision: Decision
    micros: int

    @property
    def word(self) -> str:
        return answered(self.decision)


def try_facts(actor: Actor, facts: Mapping[str, object], *, bundle: str = "") -> Answer:
    """Ask what is in force, or one bundle, about facts. Raises: RoleMissing, BundleNotFound."""
    actor.require(*GOVERNING)
    if not bundle:
        judge_facts(facts)  # the first question of a process makes its child
        return _timed(judge_facts, facts)
    with Judge(Judging.unpack(bytes(bundle_for(actor, bundle).packed))) as judge:
        return _timed(judge.decide, facts)


def read_facts_of(text: str) -> dict[str, object]:
    """Return the facts that somebody pasted. Raises: FactsUnreadable."""
    try:
        facts = strict_loads(text.encode(), limit=MAX_QUESTION_BYTES)
    except (DomainError, UnicodeEncodeError) as error:
        raise FactsUnreadable(str(getattr(error, "detail", "It is not UTF-8."))) from None
    if not isinstance(facts, dict):
        raise FactsUnreadable("Facts are a JSON object: {…}.")
    return facts


def _timed(ask: Callable[[Mapping[str, object]], Decision], facts: Mapping[str, object]) -> Answer:
    started = time.perf_counter_ns()
    decision = ask(facts)
    return Answer(decision, (time.perf_counter_ns() - started) // 1000)
