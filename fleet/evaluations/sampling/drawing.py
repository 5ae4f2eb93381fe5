"""Drawing the cases of an evaluation: runs by stratum, some steps of each, and all golden cases.

Owns what is left out and why. A run of which nothing can be asked makes room for the next
of its kind, and is counted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from fleet.evaluations.models import GoldenCase
from fleet.evaluations.queries.recorded import (
    ALTERED,
    StepSeen,
    entries_named,
    gone_of,
    runs_on,
    steps_on,
)
from fleet.evaluations.sampling.strata import Stratum, drawn, strata_of
from kernel.canonical import digest
from registry.models import Agent
from routing.models import Model

_SPARE: Final = 10
# What keeps a run or a step out, in words.
REASONS: Final = {
    "erased": "the key of what was said was destroyed",
    "dropped": "what was said is no longer kept",
    "never_kept": "what was said was not kept",
    "altered": "the record is not what was recorded",
    "kind": "calls of this kind cannot be asked again",
    "steps": "further steps of the runs that were taken",
    "golden": "golden cases that can be read no more",
}


@dataclass(frozen=True, slots=True)
class Sample:
    """What will be asked, and what was left out."""

    steps: tuple[StepSeen, ...]
    strata_of_runs: dict[str, str]
    strata: list[dict[str, Any]]
    golden: tuple[GoldenCase, ...]
    excluded: dict[str, int]
    altered: tuple[str, ...] = ()  # entries that are not what was recorded: no evidence

    @property
    def runs(self) -> int:
        return len({step.run_id for step in self.steps})

    @property
    def cases(self) -> int:
        return len(self.steps) + len(self.golden)

    @property
    def digest(self) -> str:
        named = [step.entry_id for step in self.steps]
        return digest({"steps": named, "golden": [one.digest for one in self.golden]})


def draw_sample(agent: Agent, baseline: Model, runs: int, per_run: int, seed: str) -> Sample:
    """Draw a stratified sample of what an agent asked of a model; golden cases always count."""
    left_out: Counter[str] = Counter()
    altered: list[str] = []
    taken: list[StepSeen] = []
    names: dict[str, str] = {}
    strata: list[dict[str, Any]] = []
    for stratum in strata_of(runs_on(agent, baseline), runs, seed):
        found = _taken(agent, baseline, stratum, left_out, altered)
        strata.append(stratum.told(len(found)))
        for steps in found:
            chosen = _some(steps, per_run, seed)
            left_out["steps"] += len(steps) - len(chosen)
            names[chosen[0].run_id] = stratum.name
            taken += chosen
    golden = _golden(agent, left_out, altered)
    return Sample(tuple(taken), names, strata, golden, dict(+left_out), tuple(altered))


def _taken(
    agent: Agent,
    baseline: Model,
    stratum: Stratum,
    left_out: Counter[str],
    altered: list[str],
) -> list[list[StepSeen]]:
    """Return the steps of the first runs of a kind that can be asked."""
    found: list[list[StepSeen]] = []
    order = [run.run_id for run in stratum.order]
    while len(found) < stratum.wanted and order:
        wanted = stratum.wanted - len(found)
        batch, order = order[: wanted + _SPARE], order[wanted + _SPARE :]
        steps = steps_on(agent, baseline, batch)
        for run_id in batch:
            if len(found) == stratum.wanted:
                break
            if asked := _askable(steps[run_id], left_out, altered):
                found.append(asked)
    return found


def _askable(
    steps: Sequence[StepSeen], left_out: Counter[str], altered: list[str]
) -> list[StepSeen]:
    for step in steps:
        if step.gone:
            left_out[step.gone] += 1
        if step.gone == ALTERED:
            altered.append(step.entry_id)
    return [step for step in steps if not step.gone]


def _some(steps: list[StepSeen], most: int, seed: str) -> list[StepSeen]:
    """Return some steps of a run, drawn, in the order they were made."""
    if len(steps) <= most:
        return steps
    kept = sorted(steps, key=lambda step: drawn(seed, step.entry_id))[:most]
    return [step for step in steps if step in kept]


def _golden(agent: Agent, left_out: Counter[str], altered: list[str]) -> tuple[GoldenCase, ...]:
    rows = list(agent.golden_cases.filter(state=GoldenCase.State.LIVE).order_by("name"))
    entries = entries_named([row.entry_id for row in rows])
    gone = gone_of(entries)
    whole = {entry.entry_id for entry in entries}
    altered += [row.entry_id for row in rows if row.entry_id not in whole]
    here = {entry.entry_id for entry in entries if entry.entry_id not in gone}
    left_out["golden"] += len(rows) - len([row for row in rows if row.entry_id in here])
    return tuple(row for row in rows if row.entry_id in here)
