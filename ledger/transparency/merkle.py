"""The tree of RFC 6962: roots, inclusion proofs, consistency proofs, and their checks.

A node is named by its level (0 is a leaf hash) and its index in that level; only nodes
over a whole power of two of leaves have a name. Proofs ask for nodes by name, so whoever
keeps them (tiles, a dictionary in a test) needs no tree in memory.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

HASH_BYTES: Final = 32
EMPTY_ROOT: Final = hashlib.sha256(b"").digest()
MAX_SIZE: Final = 2**63 - 1

# Returns the hash of the whole subtree (level, index); raises what its store raises.
NodeAt = Callable[[int, int], bytes]


class ProofInvalid(Exception):
    """Raised when a proof does not prove what it is said to; says how it fails."""


def node_hash(left: bytes, right: bytes) -> bytes:
    """Hash two subtrees into their parent (RFC 6962 §2.1)."""
    return hashlib.sha256(b"\x01" + left + right).digest()


@dataclass(slots=True)
class Frontier:
    """The right edge of a growing tree: the roots of its whole subtrees, largest first."""

    size: int = 0
    peaks: list[bytes] = field(default_factory=list)

    @classmethod
    def at(cls, size: int, node_at: NodeAt) -> Frontier:
        """Return the edge of a tree of this size whose nodes are kept elsewhere."""
        return cls(size, [node_at(level, index) for level, index in whole_subtrees(size)])

    def append(self, leaf: bytes) -> None:
        """Add one leaf hash."""
        grown, carry = self.size, leaf
        while grown & 1:
            carry = node_hash(self.peaks.pop(), carry)
            grown >>= 1
        self.peaks.append(carry)
        self.size += 1

    def root(self) -> bytes:
        """Return the root over all leaves so far."""
        if not self.peaks:
            return EMPTY_ROOT
        root = self.peaks[-1]
        for peak in reversed(self.peaks[:-1]):
            root = node_hash(peak, root)
        return root


def whole_subtrees(size: int) -> Iterator[tuple[int, int]]:
    """Yield the names of the whole subtrees that make up a tree, from the left."""
    start = 0
    for level in reversed(range(size.bit_length())):
        if size >> level & 1:
            yield level, start >> level
            start += 1 << level


def root_of(size: int, node_at: NodeAt) -> bytes:
    """Return the root of a tree of this size."""
    return Frontier.at(size, node_at).root()


def inclusion_proof(index: int, size: int, node_at: NodeAt) -> list[bytes]:
    """Return the audit path of a leaf (RFC 6962 §2.1.1). Raises: ValueError."""
    if not 0 <= index < size:
        raise ValueError(f"leaf {index} is not in a tree of {size}")
    return [_range_root(start, end, node_at) for start, end in _path(index, 0, size)]


def consistency_proof(old: int, new: int, node_at: NodeAt) -> list[bytes]:
    """Return the proof that one tree begins the other (RFC 6962 §2.1.2). Raises: ValueError."""
    if not 0 <= old <= new:
        raise ValueError(f"a tree of {new} does not begin with one of {old}")
    if old in {0, new}:
        return []
    return [_range_root(start, end, node_at) for start, end in _consistency(old, 0, new)]


def verify_inclusion(
    leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes
) -> None:
    """Check an audit path (RFC 6962 §2.1.1). Raises: ProofInvalid."""
    if not 0 <= index < size <= MAX_SIZE:
        raise ProofInvalid(f"leaf {index} is not in a tree of {size}")
    siblings = list(_path(index, 0, size))
    _check_shape(proof, len(siblings))
    made = leaf
    for (start, _), node in zip(siblings, proof, strict=True):
        made = node_hash(node, made) if start < index else node_hash(made, node)
    if made != root:
        raise ProofInvalid("the proof leads to another root")


def verify_consistency(
    old: int, new: int, old_root: bytes, new_root: bytes, proof: Sequence[bytes]
) -> None:
    """Check that one tree begins another (RFC 6962 §2.1.2). Raises: ProofInvalid."""
    if not 0 <= old <= new <= MAX_SIZE:
        raise ProofInvalid(f"a tree of {new} does not begin with one of {old}")
    if old in {0, new}:
        _check_trivial(old, old_root, new_root if old else EMPTY_ROOT, proof)
        return
    ranges = list(_consistency(old, 0, new))
    _check_shape(proof, len(ranges))
    named = list(zip(ranges, proof, strict=True))
    # The innermost subtree ends where the older tree does; it is that tree, if that is whole.
    first = second = old_root
    if named[0][0][1] == old:
        first = second = named.pop(0)[1]
    for (start, _), node in named:
        if start < old:
            first, second = node_hash(node, first), node_hash(node, second)
        else:
            second = node_hash(second, node)
    if first != old_root:
        raise ProofInvalid("the proof does not lead to the older root")
    if second != new_root:
        raise ProofInvalid("the proof does not lead to the newer root")


def _check_shape(proof: Sequence[bytes], expected: int) -> None:
    if len(proof) != expected:
        raise ProofInvalid(f"the proof has {len(proof)} nodes, not {expected}")
    if any(len(node) != HASH_BYTES for node in proof):
        raise ProofInvalid("a node of the proof is not a hash")


def _check_trivial(old: int, old_root: bytes, expected: bytes, proof: Sequence[bytes]) -> None:
    if proof:
        raise ProofInvalid("nothing is to be proven, and the proof is not empty")
    if old_root != expected:
        raise ProofInvalid(
            "two trees of one size have two roots" if old else "the empty tree has another root"
        )


def _split(count: int) -> int:
    """The largest power of two below a count (RFC 6962's k)."""
    return 1 << (count - 1).bit_length() - 1


def _path(index: int, start: int, end: int) -> Iterator[tuple[int, int]]:
    """The sibling ranges of a leaf, nearest first."""
    if end - start == 1:
        return
    middle = start + _split(end - start)
    if index < middle:
        yield from _path(index, start, middle)
        yield middle, end
    else:
        yield from _path(index, middle, end)
        yield start, middle


def _consistency(
    old: int, start: int, end: int, *, is_whole: bool = True
) -> Iterator[tuple[int, int]]:
    """The ranges of RFC 6962's SUBPROOF, in its order; ``old`` counts from the tree's start."""
    if old == end:
        if not is_whole:
            yield start, end
        return
    middle = start + _split(end - start)
    if old <= middle:
        yield from _consistency(old, start, middle, is_whole=is_whole)
        yield middle, end
    else:
        yield from _consistency(old, middle, end, is_whole=False)
        yield start, middle


def _range_root(start: int, end: int, node_at: NodeAt) -> bytes:
    """The root over a range that RFC 6962 splits off: its start is a multiple of its width."""
    count = end - start
    peaks = [node_at(level, (start >> level) + index) for level, index in whole_subtrees(count)]
    return Frontier(count, peaks).root()
