from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.entries import leaf_hash
from ledger.transparency.merkle import (
    EMPTY_ROOT,
    Frontier,
    NodeAt,
    ProofInvalid,
    consistency_proof,
    inclusion_proof,
    root_of,
    verify_consistency,
    verify_inclusion,
)

LEAVES = [leaf_hash(str(number).encode()) for number in range(700)]
SIZES = st.integers(1, 700)


def plain_root(leaves: list[bytes]) -> bytes:
    """RFC 6962 §2.1 word for word."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    return hashlib.sha256(b"\x01" + plain_root(leaves[:k]) + plain_root(leaves[k:])).digest()


def nodes_of(leaves: list[bytes]) -> NodeAt:
    def node_at(level: int, index: int) -> bytes:
        of = leaves[index << level : (index + 1) << level]
        assert len(of) == 1 << level, "only whole subtrees have a name"
        return plain_root(of)

    return node_at


@given(size=SIZES)
def test_the_root_is_the_rfcs(size: int) -> None:
    frontier = Frontier()
    for leaf in LEAVES[:size]:
        frontier.append(leaf)
    expected = plain_root(LEAVES[:size])
    assert frontier.root() == root_of(size, nodes_of(LEAVES[:size])) == expected


def test_the_empty_tree_has_the_rfcs_root() -> None:
    assert Frontier().root() == EMPTY_ROOT == plain_root([])


@given(size=SIZES, data=st.data())
def test_a_path_proves_its_leaf_and_no_other(size: int, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, size - 1))
    proof = inclusion_proof(index, size, nodes_of(LEAVES[:size]))
    root = plain_root(LEAVES[:size])
    verify_inclusion(LEAVES[index], index, size, proof, root)
    with pytest.raises(ProofInvalid):
        verify_inclusion(leaf_hash(b"another"), index, size, proof, root)
    with pytest.raises(ProofInvalid):
        verify_inclusion(LEAVES[index], index, size, [*proof, bytes(32)], root)
    if proof:
        with pytest.raises(ProofInvalid):
            verify_inclusion(LEAVES[index], index, size, proof[:-1], root)


@given(sizes=st.tuples(SIZES, SIZES).map(sorted))
def test_a_tree_begins_a_larger_one_and_no_other_does(sizes: list[int]) -> None:
    old, new = sizes
    proof = consistency_proof(old, new, nodes_of(LEAVES[:new]))
    first, second = plain_root(LEAVES[:old]), plain_root(LEAVES[:new])
    verify_consistency(old, new, first, second, proof)
    with pytest.raises(ProofInvalid):
        verify_consistency(old, new, bytes(32), second, proof)
    with pytest.raises(ProofInvalid):
        verify_consistency(old, new, first, bytes(32), proof)
    with pytest.raises(ProofInvalid):
        verify_consistency(old, new, first, second, [*proof, bytes(32)])


def test_every_tree_begins_with_the_empty_one() -> None:
    verify_consistency(0, 3, EMPTY_ROOT, plain_root(LEAVES[:3]), [])
    with pytest.raises(ProofInvalid):
        verify_consistency(0, 3, bytes(32), plain_root(LEAVES[:3]), [])
