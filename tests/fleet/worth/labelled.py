"""200 pairs of jobs labelled by hand, and how a score stands to them; the bench reads them too."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from fleet.worth.likeness import THRESHOLD, Job, Rarity, compare, job_of

PAIRS = Path(__file__).with_name("pairs.txt")


@dataclass(frozen=True)
class Pair:
    is_same: bool
    one: Job
    other: Job
    is_test: bool


def read_pairs() -> Iterator[Pair]:
    lines = PAIRS.read_text(encoding="utf-8").splitlines()
    for at, line in enumerate(line for line in lines if not line.startswith("#")):
        label, *told = line.split("|")
        one, other = (
            job_of(2 * at + n, title, text, tools=tools.split(","))
            for n, (title, text, tools) in enumerate((told[:3], told[3:]))
        )
        yield Pair(label == "same", one, other, (at // 2) % 2 == 1)


@dataclass(frozen=True)
class Measured:
    precision: float
    recall: float


def measure(pairs: list[Pair], threshold: float = THRESHOLD) -> Measured:
    rarity = Rarity([job for pair in read_pairs() for job in (pair.one, pair.other)])
    found = [pair for pair in pairs if compare(pair.one, pair.other, rarity).score >= threshold]
    right = sum(pair.is_same for pair in found)
    return Measured(right / max(len(found), 1), right / sum(pair.is_same for pair in pairs))
