"""How sure a receipt is, and how its next step is announced. No Django, no database.

L0 durable: the entry is committed. L1 sequenced: it has its place in the tree. L2 signed: a
checkpoint that covers it carries the log's signature. L3 witnessed: a witness has cosigned one.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Final

CHANNEL: Final = "unsprawl_tree"


class Level(IntEnum):
    """A step on the way of an entry; each includes those before it."""

    DURABLE = 0
    SEQUENCED = 1
    SIGNED = 2
    WITNESSED = 3

    @property
    def word(self) -> str:
        return self.name.lower()

    @classmethod
    def of(cls, word: str) -> Level | None:
        """Return the level that a word names: ``signed`` as well as ``L2``."""
        return _BY_WORD.get(word)

    def __str__(self) -> str:
        return f"L{int(self)}"


_BY_WORD: Final = {name: level for level in Level for name in (level.word, str(level))}


@dataclass(frozen=True, slots=True)
class Announced:
    """What a notification says: this tree has reached this level at this size."""

    epoch: int
    size: int
    level: Level

    def __str__(self) -> str:
        return f"{self.epoch}:{self.size}:{self.level}"

    @classmethod
    def parse(cls, payload: str) -> Announced | None:
        """Read a notification; None when it is not one of ours."""
        try:
            epoch, size, level = payload.split(":")
            return cls(int(epoch), int(size), Level(int(level.removeprefix("L"))))
        except ValueError:
            return None
