"""How alike two agents' jobs are, from 0 to 1, and why, in words.

Texts are compared by what is done to what, weighed by how rare each is in this fleet; tools,
prompts, routes and data classes add to that. Every further signal takes some of the doubt
away, as at registration, so weak ones never make a finding on their own. Two agents that do
different things to the same objects are not one job, however many words they share.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from fleet.worth.reading import plain, read_text

THRESHOLD: Final = 0.45
_IN_TITLE: Final = 1.6
_IN_TEXT: Final = 1.0
_IN_PURPOSE: Final = 0.4
# How far each further signal, at its fullest, takes the doubt away.
_WEIGHTS: Final = {"prompts": 0.75, "tools": 0.2, "routes": 0.04, "classes": 0.03, "team": 0.05}
_ONE: Final = {"tools": "tool", "routes": "route", "classes": "data class"}

Weights = Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Job:
    """One agent as it is compared."""

    key: int
    title: str
    tasks: Weights
    things: Weights
    others: Weights
    letters: frozenset[str]
    tools: frozenset[str] = frozenset()
    routes: frozenset[str] = frozenset()
    classes: frozenset[str] = frozenset()
    team: str = ""
    prompt: tuple[int, ...] = ()

    @property
    def words(self) -> Iterable[str]:
        """Everything it is found by, with what kind of thing it is."""
        for kind, weights in (("+", self.tasks), ("*", self.things), (".", self.others)):
            yield from (f"{kind}{word}" for word in weights)


@dataclass(frozen=True, slots=True)
class Alike:
    """A score and its reasons."""

    score: float
    reasons: list[str] = field(default_factory=list)


class Rarity:
    """How much each word says: the rarer in the fleet, the more."""

    def __init__(self, jobs: Iterable[Job]) -> None:
        self._found: Counter[str] = Counter()
        self._jobs = 0
        for job in jobs:
            self._jobs += 1
            self._found.update(set(job.words))
        self._known: dict[str, float] = {}
        self._lengths: dict[tuple[int, str], float] = {}

    def of(self, word: str) -> float:
        known = self._known.get(word)
        if known is None:
            # Small fleets know little of what is common, so the first hundred count for all.
            known = 1 + math.log((100 + self._jobs) / (1 + self._found[word]))
            self._known[word] = known
        return known

    def length(self, job: Job, kind: str, weights: Weights) -> float:
        """Return how much all words of one kind say in a job; asked for every comparison."""
        known = self._lengths.get((job.key, kind))
        if known is None:
            found = ((weight * self.of(kind + word)) ** 2 for word, weight in weights.items())
            known = self._lengths[(job.key, kind)] = math.sqrt(sum(found))
        return known


def job_of(  # noqa: PLR0913  the whole of what is compared
    key: int, title: str, description: str, purpose: str = "", *, tools: Iterable[str] = (),
    routes: Iterable[str] = (), classes: Iterable[str] = (), team: str = "",
    prompt: Iterable[int] = (),
) -> Job:  # fmt: skip
    """Read an agent's texts and signals, once for all its comparisons."""
    tasks: dict[str, float] = {}
    things: dict[str, float] = {}
    others: dict[str, float] = {}
    for text, weight in ((title, _IN_TITLE), (description, _IN_TEXT), (purpose, _IN_PURPOSE)):
        said = read_text(text)
        for found, words in ((tasks, said.tasks), (things, said.things), (others, said.others)):
            for word in words:
                found[word] = max(found.get(word, 0.0), weight)
    return Job(
        key, title, tasks, things, others, _letters(title), frozenset(tools), frozenset(routes),
        frozenset(classes), team, tuple(prompt),
    )  # fmt: skip


def compare(one: Job, other: Job, rarity: Rarity) -> Alike:
    """Return how alike two jobs are and why."""
    text, reasons = _texts(one, other, rarity)
    doubt = 1 - text
    if one.prompt and other.prompt:
        same = sum(a == b for a, b in zip(one.prompt, other.prompt, strict=True)) / len(one.prompt)
        if same >= 0.2:
            doubt *= 1 - _WEIGHTS["prompts"] * same
            reasons.append(f"system prompts {round(100 * same)} % the same")
    for signal, mine, theirs in (
        ("tools", one.tools, other.tools), ("routes", one.routes, other.routes),
        ("classes", one.classes, other.classes),
    ):  # fmt: skip
        shared = mine & theirs
        if shared:
            doubt *= 1 - _WEIGHTS[signal] * text * len(shared) / len(mine | theirs)
            names = ", ".join(sorted(shared)[:5])
            reasons.append(f"same {_ONE[signal]}{'s' if len(shared) > 1 else ''}: {names}")
    if one.team and one.team == other.team:
        doubt *= 1 - _WEIGHTS["team"] * text
        reasons.append(f"same team: {one.team}")
    return Alike(round(1 - doubt, 3), reasons)


def _texts(one: Job, other: Job, rarity: Rarity) -> tuple[float, list[str]]:
    tasks = _cosine(one, other, "+", rarity)
    things = _cosine(one, other, "*", rarity)
    others = _cosine(one, other, ".", rarity)
    letters = len(one.letters & other.letters) / max(len(one.letters | other.letters), 1)
    reasons = []
    if shared := sorted(one.tasks.keys() & other.tasks.keys()):
        reasons.append(f"both {', '.join(shared[:3])}")
    if shared := sorted(one.things.keys() & other.things.keys()):
        reasons.append(f"both about {', '.join(shared[:4])}")
    if letters >= 0.5:
        reasons.append("titles the same" if letters >= 0.95 else "titles alike")
    if others >= 0.25:
        words = sorted(one.others.keys() & other.others.keys(), key=rarity.of, reverse=True)
        reasons.append(f"same words: {', '.join(words[:4])}")
    # What it is about, weighed by whether the same is done to it.
    about = things if one.things and other.things else others
    done = tasks if one.tasks and other.tasks else 0.5 * others
    score = about * (0.3 + 0.7 * done)
    score = max(score, 0.75 * score + 0.25 * others, 0.5 * about + 0.5 * others if done else 0)
    if letters >= 0.95:
        score = max(score, 0.6 + 0.3 * others)
    return min(score, 1.0), reasons


def _cosine(one: Job, other: Job, kind: str, rarity: Rarity) -> float:
    mine, theirs = _weights(one, kind), _weights(other, kind)
    shared = mine.keys() & theirs.keys()
    if not shared:
        return 0.0
    dot = sum(mine[word] * theirs[word] * rarity.of(kind + word) ** 2 for word in shared)
    return dot / (rarity.length(one, kind, mine) * rarity.length(other, kind, theirs))


def _weights(job: Job, kind: str) -> Weights:
    return job.tasks if kind == "+" else job.things if kind == "*" else job.others


def _letters(title: str) -> frozenset[str]:
    told = f"  {plain(title)} "
    return frozenset(told[at : at + 3] for at in range(len(told) - 2))
