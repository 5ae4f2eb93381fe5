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
COMPARED: Final = 40  # partners of one job that are scored
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
    members = {key: [key] for pair in pairs for key in pair}
    group_of = {key: key for key in members}
    # The sum of scores between two groups; joining adds, so no pair is looked at twice.
    between: dict[int, dict[int, float]] = {key: {} for key in members}
    for (one, other), found in pairs.items():
        between[one][other] = between[other][one] = found.score
    for (one, other), _ in sorted(pairs.items(), key=lambda item: (-item[1].score, item[0])):
        a, b = sorted((group_of[one], group_of[other]))
        size = len(members[a]) * len(members[b])
        if a == b or between[a].get(b, 0.0) < THRESHOLD * size:
            continue
        for third, score in between.pop(b).items():
            between[third].pop(b)
            if third != a:
                between[a][third] = between[third][a] = between[a].get(third, 0.0) + score
        for key in members[b]:
            group_of[key] = a
        members[a] += members.pop(b)
    return sorted(sorted(group) for group in members.values() if len(group) > 1)


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
