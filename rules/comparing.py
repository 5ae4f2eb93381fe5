"""What differs between two bundles, file by file, with the numbers of the lines on both sides."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

from policy.bundle import DATA_FILE, unpack_files
from rules.models import Bundle

AROUND: Final = 2
MOST_LINES: Final = 3000


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a comparison; a number is missing on the side where it is not."""

    kind: str  # same, added, removed, gap
    before: int | None
    after: int | None
    text: str


@dataclass(frozen=True, slots=True)
class Compared:
    """One file of two bundles."""

    name: str
    lines: list[Line]

    @property
    def added(self) -> int:
        return sum(line.kind == "added" for line in self.lines)

    @property
    def removed(self) -> int:
        return sum(line.kind == "removed" for line in self.lines)


def sources_of(bundle: Bundle) -> dict[str, str]:
    """Return the files that judge, as people read them; settings one to a line."""
    files = unpack_files(bytes(bundle.packed))
    return {name: _legible(name, raw) for name, raw in sorted(files.items())}


def tests_of(bundle: Bundle) -> dict[str, str]:
    """Return the files that test the bundle."""
    return {name: raw.decode() for name, raw in unpack_files(bytes(bundle.tests)).items()}


def compare_bundles(before: Bundle | None, after: Bundle) -> list[Compared]:
    """Return the files that differ, from one bundle to the other."""
    return compare(sources_of(before) if before is not None else {}, sources_of(after))


def compare(old: Mapping[str, str], new: Mapping[str, str]) -> list[Compared]:
    """Return what differs between two sets of files."""
    names = sorted({*old, *new})
    compared = [
        Compared(name, list(_lines(old.get(name, ""), new.get(name, "")))) for name in names
    ]
    return [each for each in compared if each.lines]


def as_evidence(compared: list[Compared]) -> list[dict[str, Any]]:
    """Return a comparison as a review keeps it, cut where nobody would read on."""
    left, shown = MOST_LINES, []
    for each in compared:
        lines = [asdict(line) for line in each.lines[:left]]
        left -= len(lines)
        shown.append(
            {"name": each.name, "added": each.added, "removed": each.removed, "lines": lines}
            | ({"is_cut": True} if len(lines) < len(each.lines) else {})
        )
    return shown


def _lines(before: str, after: str) -> Iterator[Line]:
    old, new = before.splitlines(), after.splitlines()
    if old == new:
        return
    matcher = difflib.SequenceMatcher(None, old, new, autojunk=False)
    for number, group in enumerate(matcher.get_grouped_opcodes(AROUND)):
        if number:
            yield Line("gap", None, None, "")
        for kind, i, j, m, n in group:
            if kind == "equal":
                both = zip(range(i, j), range(m, n), strict=True)
                yield from (Line("same", here + 1, there + 1, old[here]) for here, there in both)
            else:
                yield from (Line("removed", step + 1, None, old[step]) for step in range(i, j))
                yield from (Line("added", None, step + 1, new[step]) for step in range(m, n))


def _legible(name: str, raw: bytes) -> str:
    if name == DATA_FILE:
        return json.dumps(json.loads(raw), indent=2, sort_keys=True, ensure_ascii=False) + "\n"
    return raw.decode()
