"""One thing wrong with a manifest: where it is, which line, what to write instead."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Final

Path = tuple[str | int, ...]
Lines = Mapping[Path, int]

MAX_PROBLEMS: Final = 50
_SHOWN: Final = 60


@dataclass(frozen=True, slots=True)
class Problem:
    """A problem at a place; ``line`` is None where there is no text to point into."""

    path: Path
    message: str
    line: int | None = None
    suggestion: str = ""

    @property
    def key(self) -> str:
        return dotted(self.path)

    def __str__(self) -> str:
        place = f"line {self.line}: " if self.line else ""
        named = f"{self.key}: " if self.path else ""
        return f"{place}{named}{self.message}"

    def facts(self) -> dict[str, object]:
        stated: dict[str, object] = {"key": self.key, "line": self.line, "message": self.message}
        return stated | ({"suggestion": self.suggestion} if self.suggestion else {})


def dotted(path: Path) -> str:
    """Write a path as people do: ``spec.models[0].route``."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            text += f".{shown(part)}" if text else shown(part)
    return text


def line_of(lines: Lines, path: Path) -> int | None:
    """Return the line of a path, or of the nearest thing around it that has one."""
    for end in range(len(path), -1, -1):
        if (line := lines.get(path[:end])) is not None:
            return line
    return None


def shown(value: object) -> str:
    """Write a value short and printable; a manifest may hold anything."""
    text = value if isinstance(value, str) else str(value)
    cut = text[:_SHOWN] + "…" if len(text) > _SHOWN else text
    return "".join(char if char.isprintable() else "�" for char in cut)


def nearest(word: str, known: Iterable[str]) -> str:
    """Return the known word that was probably meant, or an empty string."""
    words = list(known)
    plain = {_plain(each): each for each in words}
    if (same := plain.get(_plain(word))) is not None:
        return same
    close = get_close_matches(_plain(word[:80]), list(plain), n=1, cutoff=0.7)
    return plain[close[0]] if close else ""


def listed(words: Iterable[str], limit: int = 20) -> str:
    """Write words as a list that stays readable."""
    every = list(words)
    more = f" and {len(every) - limit} more" if len(every) > limit else ""
    return ", ".join(every[:limit]) + more


def summary(problems: list[Problem]) -> str:
    """Write the first problem and how many follow."""
    rest = len(problems) - 1
    return f"{problems[0]}" + (f" (and {rest} more)" if rest else "")


def _plain(word: str) -> str:
    return word.replace("_", "").replace("-", "").lower()
