"""How an agent's runs stand to what it declares: read from the sums alone."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from effects.launch.figures import Share
from fleet.conformance.aligning import END, START
from fleet.conformance.declared import Process
from fleet.conformance.models import ConformanceMark, DeviationSum, EdgeSum, ProcessSum, WeekSum
from fleet.conformance.queries.processes import process_now
from registry.actors import Actor
from registry.models import Agent
from registry.queries import agent_inside_for

MOST: int = 200  # ways to differ, and edges, that one page shows: the most frequent ones


@dataclass(frozen=True, slots=True)
class Conformance:
    """One agent's runs of the last 90 days against the process in force, or one before it."""

    agent: Agent
    process: Process
    sums: ProcessSum | None
    deviations: list[DeviationSum]
    edges: list[EdgeSum]
    weeks: list[WeekSum]  # with runs, the oldest first
    earlier: list[ProcessSum]  # what other versions declared, with runs of their own
    checked_to: datetime | None

    @property
    def declares(self) -> bool:
        return bool(self.process.steps)

    @property
    def runs(self) -> int:
        return self.sums.runs if self.sums else 0

    @property
    def gap(self) -> Share:
        """The share of runs that deviate, with its interval."""
        return Share(self.sums.deviating if self.sums else 0, self.runs if self.declares else 0)

    @property
    def fitness(self) -> float | None:
        """How well a run fits on average; None without runs or declared steps."""
        if self.sums is None or not self.declares or not self.sums.runs:
            return None
        return self.sums.fitness_permille / self.sums.runs / 1000

    @property
    def deterministic(self) -> Share:
        """The share of steps that no model took."""
        if self.sums is None:
            return Share(0, 0)
        taken = self.sums.deterministic_steps
        return Share(taken, taken + self.sums.model_steps)

    @property
    def seen(self) -> dict[str, int]:
        """How often each step came, by its label."""
        times: dict[str, int] = {}
        for edge in self.edges:
            if edge.target != END:
                times[edge.target] = times.get(edge.target, 0) + edge.times
        return times

    @property
    def never_seen(self) -> list[dict[str, Any]]:
        """Declared steps that no run shows, and whether one that leaves a trace is missed."""
        seen = self.seen
        return [
            {"name": step.name, "kind": step.kind, "is_required": step.is_required}
            for step in self.process.steps
            if self.runs and f"={step.name}" not in seen
        ]

    def place(self, label: str) -> float:
        """Return where a step comes on average, from 0 to 1."""
        found = [edge for edge in self.edges if edge.target == label]
        times = sum(edge.times for edge in found)
        return sum(edge.place_permille for edge in found) / times / 1000 if times else 0.0


def conformance_for(actor: Actor, name: str) -> Conformance:
    """Return the conformance of an agent whose inside one may see.

    Raises: AgentNotFound, NotYourAgent.
    """
    return conformance_of(agent_inside_for(actor, name))


def conformance_of(agent: Agent) -> Conformance:
    """Return how an agent's runs stand to the process it declares now."""
    process = process_now(agent)
    sums = list(ProcessSum.objects.filter(agent_id=agent.public_id).order_by("-last_at"))
    asked = {"agent_id": agent.public_id, "process": process.digest}
    mark = ConformanceMark.objects.first()
    return Conformance(
        agent=agent,
        process=process,
        sums=next((each for each in sums if each.process == process.digest), None),
        deviations=list(DeviationSum.objects.filter(**asked).order_by("-runs", "-last_at")[:MOST]),
        edges=list(EdgeSum.objects.filter(**asked).order_by("-times", "source")[:MOST]),
        weeks=list(WeekSum.objects.filter(**asked).order_by("week")),
        earlier=[each for each in sums if each.process != process.digest],
        checked_to=mark.checked_to if mark is not None else None,
    )


def name_of(label: str) -> str:
    """Return how people read a label: a declared step by its name, others with their kind."""
    if label in (START, END):
        return "start" if label == START else "end"
    if label.startswith("="):
        return label[1:]
    kind, _, name = label.partition(":")
    return f"{kind} {name}"
