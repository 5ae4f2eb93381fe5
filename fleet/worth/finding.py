"""Finding alike jobs among many: only those that share something rare are compared.

Pure. A word, a pair of what is done and to what, a tool, and a band of a prompt's sketch are
blocks; in a block that is too large each job is compared with its neighbours by title. Groups
are made from the closest pair downwards, and two join only when on average they are alike.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from heapq import nlargest
from itertools import combinations
from typing import Final

from fleet.worth.likeness import THRESHOLD, Alike, Job, Rarity, compare

LARGE: Final = 60  # jobs in a block of which every pair is looked at
NEIGHBOURS: Final = 12
COMPARED: Final = 60  # partners of one job that are scored
_RAREST: Final = 6
_BAND: Final = 4
Pairs = Mapping[tuple[int, int], Alike]


def alike_pairs(jobs: Sequence[Job], rarity: Rarity | None = None) -> dict[tuple[int, int], Alike]:
    """Return the pairs of jobs that reach the threshold, by their keys in order."""
    rarity = rarity or Rarity(jobs)
    found: dict[tuple[int, int], Alike] = {}
    for one, other in _candidates(jobs, rarity):
        alike = compare(one, other, rarity)
        if alike.score >= THRESHOLD:
            found[(one.key, other.key)] = alike
    return found


def groups_of(pairs: Pairs) -> list[list[int]]:
    """Return groups of keys: the closest pairs first, joined while alike on average."""
    group_of: dict[int, int] = {}
    members: dict[int, list[int]] = {}
    for (one, other), _ in sorted(pairs.items(), key=lambda item: (-item[1].score, item[0])):
        a, b = group_of.get(one), group_of.get(other)
        left = members[a] if a is not None else [one]
        right = members[b] if b is not None else [other]
        if a is not None and a == b:
            continue
        if _mean(left, right, pairs) < THRESHOLD:
            continue
        joined = sorted([*left, *right])
        name = min(joined)
        for old in (a, b):
            if old is not None:
                members.pop(old, None)
        members[name] = joined
        for key in joined:
            group_of[key] = name
    return sorted(members.values())


def _mean(left: Sequence[int], right: Sequence[int], pairs: Pairs) -> float:
    scores = [
        found.score if (found := pairs.get((min(a, b), max(a, b)))) else 0.0
        for a in left
        for b in right
    ]
    return sum(scores) / len(scores)


def _candidates(jobs: Sequence[Job], rarity: Rarity) -> Iterator[tuple[Job, Job]]:
    ordered = sorted(jobs, key=lambda job: (job.title.lower(), job.key))
    partners: dict[int, list[tuple[float, int]]] = defaultdict(list)
    for (a, b), weight in _shared(ordered, rarity).items():
        partners[a].append((weight, b))
        partners[b].append((weight, a))
    seen = {
        (min(a, b), max(a, b))
        for a, found in partners.items()
        for _, b in nlargest(COMPARED, found)
    }
    for a, b in sorted(seen):
        one, other = ordered[a], ordered[b]
        yield (one, other) if one.key < other.key else (other, one)


def _shared(ordered: Sequence[Job], rarity: Rarity) -> dict[tuple[int, int], float]:
    """How much of what is rare two jobs share, by their places."""
    blocks: dict[str, list[int]] = defaultdict(list)
    for place, job in enumerate(ordered):
        for block in _blocks_of(job, rarity):
            blocks[block].append(place)
    shared: dict[tuple[int, int], float] = defaultdict(float)
    for block, members in blocks.items():
        weight = rarity.of(block) if block[0] in "+*." else 8.0
        for pair in _pairs_in(members):
            shared[pair] += weight
    return shared


def _blocks_of(job: Job, rarity: Rarity) -> Iterator[str]:
    yield from sorted(job.words, key=rarity.of, reverse=True)[:_RAREST]
    for thing in job.things:
        yield from (f"+{task}*{thing}" for task in job.tasks)
    for one, other in combinations(sorted(job.things), 2):
        yield f"*{one}*{other}"
    yield from (f"tool {tool}" for tool in job.tools)
    for at in range(0, len(job.prompt), _BAND):
        yield f"prompt {at} {job.prompt[at : at + _BAND]}"


def _pairs_in(members: Sequence[int]) -> Iterator[tuple[int, int]]:
    if len(members) <= LARGE:
        yield from combinations(members, 2)
        return
    for at, one in enumerate(members):
        for other in members[at + 1 : at + 1 + NEIGHBOURS]:
            yield one, other
