"""What the sequencer wants of those who watch it from outside: a port, filled by `config`.

A witness keeps, in a store of its own, the largest tree it has seen of each origin, and
cosigns only what that tree begins. The sequencer compares before it signs anything at all,
and afterwards offers each newest note from a thread of its own; a slow witness delays no
batch. With no witness configured nothing is asked and nothing reaches level L3.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from ledger.transparency.merkle import NodeAt
from ledger.transparency.notes import SignatureLine, SignedNote


class Diverged(Exception):
    """Raised when a witness has seen what this tree does not hold; says what it has seen.

    The database holds less than it did, or something else: nothing may be appended any more.
    """


class Unreachable(Exception):
    """Raised when a witness does not answer, or not in the words of the protocol."""


@dataclass(frozen=True, slots=True)
class Offer:
    """A tree as it is: enough to prove that what a witness has seen begins it."""

    epoch: int
    origin: str
    size: int
    root: bytes
    nodes: NodeAt
    note: SignedNote | None = None  # None when it is compared, which is before it is signed
    # Whose lines the database holds under this origin: they cannot have seen nothing of it.
    cosigned_by: frozenset[str] = frozenset()


class Witnesses(Protocol):
    """Every witness that is configured. Called from one thread at a time; may block."""

    def compare(self, offer: Offer) -> None:
        """Return when no witness has seen another tree. Raises: Diverged, Unreachable."""

    def cosign(self, offer: Offer) -> Sequence[SignatureLine]:
        """Return the lines of those who cosigned this note. Raises: Diverged, Unreachable."""


class NoWitnesses:
    """Nobody watches."""

    def compare(self, offer: Offer) -> None:
        return None

    def cosign(self, offer: Offer) -> Sequence[SignatureLine]:
        return ()
