"""From bytes to plain values with the line of every key. No schema here, only syntax.

Two forms, one meaning: a YAML document and a JSON document that say the same are read
into the same values, under one cap of bytes and depth.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from kernel.canonical import BodyTooLarge
from registry.errors.agents import ManifestUnreadable
from registry.manifest.problems import MAX_PROBLEMS, Path, Problem, summary

MAX_BYTES: Final = 256 * 1024


@dataclass(frozen=True, slots=True)
class Source:
    """What a text says, and on which line it says it."""

    value: object
    lines: dict[Path, int] = field(default_factory=dict)


def check_size(raw: bytes) -> None:
    """Raises: BodyTooLarge."""
    if len(raw) > MAX_BYTES:
        raise BodyTooLarge(f"A manifest has at most {MAX_BYTES} bytes.", limit_bytes=MAX_BYTES)


def unreadable(problems: list[Problem]) -> ManifestUnreadable:
    """Return the refusal of a text, with every problem found before reading stopped."""
    return ManifestUnreadable(
        summary(problems), errors=[problem.facts() for problem in problems[:MAX_PROBLEMS]]
    )
