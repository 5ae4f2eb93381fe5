"""Judging an action by its fast checks: pure, in their order, up to the first that says no."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from effects.gates import rego, schema
from effects.gates.checks import Check


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one check said. A reason is there when, and only when, it did not pass."""

    name: str
    kind: str
    reason: str = ""
    run_id: str = ""
    said: Mapping[str, Any] | None = None  # what lies in the entry's payload

    @property
    def has_passed(self) -> bool:
        return not self.reason

    @property
    def refusal(self) -> str:
        """What the agent and its owner are told."""
        return f"The check {self.name} did not pass: {self.reason.rstrip('.')}."


def judge_fast(checks: Iterable[Check], facts: Mapping[str, Any]) -> tuple[Verdict, ...]:
    """Return the verdicts of the fast checks on the facts of an action, until one says no."""
    verdicts: list[Verdict] = []
    for check in checks:
        if check.is_fast:
            verdicts.append(Verdict(check.name, check.kind, _reason(check, facts)))
            if not verdicts[-1].has_passed:
                break
    return tuple(verdicts)


def refusal_of(verdicts: Iterable[Verdict]) -> str:
    """Return what is said of the first check that did not pass; empty when all passed."""
    return next((one.refusal for one in verdicts if not one.has_passed), "")


def _reason(check: Check, facts: Mapping[str, Any]) -> str:
    if check.kind == "json_schema":
        found = schema.judge(check.settings["schema"], facts["action"]["arguments"])
    else:
        found = rego.judge(check.settings["module"], facts)
    return (check.reason or found.rstrip(".")) if found else ""
