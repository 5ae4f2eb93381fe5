"""Semantic versions: their shape and their order (semver.org 2.0.0, §11)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import total_ordering
from typing import Final, Self

_SHAPE: Final = re.compile(
    r"(0|[1-9][0-9]{0,8})\.(0|[1-9][0-9]{0,8})\.(0|[1-9][0-9]{0,8})"
    r"(?:-([0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*))?(?:\+[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*)?"
)


@total_ordering
@dataclass(frozen=True, slots=True)
class SemVer:
    """A version; build metadata is not part of the order."""

    numbers: tuple[int, int, int]
    prerelease: tuple[str, ...] = ()

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """Read ``1.4.0-rc.1+build``; None when it is not a semantic version."""
        match = _SHAPE.fullmatch(text)
        if match is None:
            return None
        prerelease = tuple(match[4].split(".")) if match[4] else ()
        if any(_is_number(part) and part != str(int(part)) for part in prerelease):
            return None
        return cls((int(match[1]), int(match[2]), int(match[3])), prerelease)

    def __lt__(self, other: SemVer) -> bool:
        return self._rank() < other._rank()

    def _rank(self) -> tuple[object, ...]:
        # A release is above its prereleases; numbers are below words, in number order.
        parts = tuple((0, int(p), "") if _is_number(p) else (1, 0, p) for p in self.prerelease)
        return self.numbers, not self.prerelease, parts


def _is_number(part: str) -> bool:
    return part.isascii() and part.isdigit()
