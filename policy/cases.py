"""A bundle's own tests, run where it will judge: facts, and what it has to answer to them.

Unit tests in Rego need `with`, which the engine of a running service does not survive. A case
is data instead: it goes through the same door as every question, into the same kind of child.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from kernel.canonical import strict_loads
from kernel.errors import DomainError
from policy.bundle import CASES_FILE, Bundle
from policy.decision import Decision
from policy.engine import Judge
from policy.errors import BundleUnusable

MOST_CASES: Final = 500
ANSWERS: Final = ("allow", "ask", "deny")


@dataclass(frozen=True, slots=True)
class Case:
    """Facts, and what has to be answered; any rule will do where none is named."""

    name: str
    facts: Mapping[str, object]
    answer: str
    rule: str = ""


@dataclass(frozen=True, slots=True)
class Failed:
    """A case that was answered otherwise."""

    name: str
    wanted: str
    got: str


@dataclass(frozen=True, slots=True)
class Tested:
    """What the cases of a bundle came to."""

    cases: int = 0
    failed: list[Failed] = field(default_factory=list)


def answered(decision: Decision) -> str:
    """Return a decision in one word."""
    return "allow" if decision.allow else "ask" if decision.ask else "deny"


def read_cases(raw: bytes) -> list[Case]:
    """Read ``cases.json``. Raises: BundleUnusable, with the place."""
    try:
        document = strict_loads(raw)
    except DomainError as error:
        raise BundleUnusable(f"{CASES_FILE} cannot be read: {error.detail}") from None
    if not isinstance(document, list) or len(document) > MOST_CASES:
        raise BundleUnusable(f"{CASES_FILE} holds a list of at most {MOST_CASES} cases.")
    return [_case(each, number) for number, each in enumerate(document, 1)]


def run_cases(bundle: Bundle, cases: list[Case]) -> Tested:
    """Build the bundle and put every case to it. Raises: BundleUnusable."""
    with Judge(bundle) as judge:
        failed = [
            failure for case in cases if (failure := _failure(case, judge.decide(case.facts)))
        ]
    return Tested(len(cases), failed)


def _failure(case: Case, decision: Decision) -> Failed | None:
    got = answered(decision)
    if got == case.answer and case.rule in {"", decision.rule}:
        return None
    wanted = f"{case.answer} by {case.rule}" if case.rule else case.answer
    return Failed(case.name, wanted, f"{got} by {decision.rule}")


def _case(each: Any, number: int) -> Case:
    match each:
        case {"name": str(name), "input": dict(facts), "answer": str(answer), **rest}:
            rule = rest.pop("rule", "")
            if not rest and name and answer in ANSWERS and isinstance(rule, str):
                return Case(name[:200], facts, answer, rule)
        case _:
            pass
    raise BundleUnusable(
        f"Case {number} of {CASES_FILE} is not"
        ' {"name": "…", "input": {…}, "answer": "allow", "ask" or "deny", "rule": "…"};'
        " the rule may be left out."
    )
