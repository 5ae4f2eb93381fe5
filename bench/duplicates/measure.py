"""How long it takes to compare every agent of a fleet with those that may do the same job.

The invented company repeats each job in seven places, so its blocks are as large as they get;
one agent in fifty is a copy in other words, and how many of those are found is told as well.
What is found is right is another question: it is asked of the 200 pairs labelled by hand, of which
half were developed on and half are the test that is quoted.
Reading the rows, which is one statement, is not in it.
"""

from __future__ import annotations

import time
from typing import Any, Final

from bench.effort import Effort
from bench.portal.company import Shape
from fleet.worth.finding import alike_pairs, groups_of
from fleet.worth.likeness import Job, Rarity, job_of
from tests.fleet.worth.labelled import measure as rate
from tests.fleet.worth.labelled import read_pairs

LIMIT_SECONDS: Final = 60.0
LEAST_PRECISION: Final = 0.8
LEAST_RECALL: Final = 0.7
AGENTS: Final = {"full": (1_000, 10_000), "quick": (500, 2_000), "tiny": (100,)}
_COPIED: Final = 50
_WORDS: Final = {
    "invoice": "bill", "ticket": "support request", "checker": "verifier", "drafter": "writer",
    "classifier": "sorter", "contract": "agreement", "summariser": "digest", "expense": "spesen",
}  # fmt: skip


def measure(effort: Effort) -> dict[str, Any]:
    """Compare fleets of growing size."""
    return {
        "limit_seconds": LIMIT_SECONDS,
        "rows": [_row(n) for n in AGENTS[effort.name]],
        "least_precision": LEAST_PRECISION,
        "least_recall": LEAST_RECALL,
        "labelled": [_labelled(part) for part in ("development", "test", "all")],
    }


def _labelled(part: str) -> dict[str, Any]:
    """Hold the score against pairs that people labelled."""
    chosen = {"development": {False}, "test": {True}, "all": {False, True}}[part]
    pairs = list(read_pairs())
    measured = rate([pair for pair in pairs if pair.is_test in chosen])
    return {
        "part": part,
        "pairs": sum(pair.is_test in chosen for pair in pairs),
        "precision": round(measured.precision, 3),
        "recall": round(measured.recall, 3),
    }


def _row(agents: int) -> dict[str, Any]:
    began = time.perf_counter()
    jobs, copies = _fleet(agents)
    read = time.perf_counter()
    pairs = alike_pairs(jobs, Rarity(jobs))
    compared = time.perf_counter()
    groups = groups_of(pairs)
    ended = time.perf_counter()
    return {
        "agents": len(jobs),
        "read_seconds": round(read - began, 2),
        "compare_seconds": round(compared - read, 2),
        "group_seconds": round(ended - compared, 2),
        "seconds": round(ended - began, 2),
        "pairs": len(pairs),
        "groups": len(groups),
        "copies": len(copies),
        "copies_found": sum(pair in pairs for pair in copies),
    }


def _fleet(agents: int) -> tuple[list[Job], list[tuple[int, int]]]:
    jobs, copies = [], []
    for n in range(agents):
        shape = Shape(n)
        original = n - 1
        if n % _COPIED == _COPIED - 1:
            shape = Shape(original)
            copies.append((original, n))
            title, text = _in_other_words(shape.title), _in_other_words(shape.description)
        else:
            title, text = shape.title, shape.description
        jobs.append(job_of(n, title, text, tools=[f"tool-{shape.number % 400}"]))
    return jobs, copies


def _in_other_words(text: str) -> str:
    for word, other in _WORDS.items():
        text = text.replace(word, other).replace(word.capitalize(), other.capitalize())
    return text
