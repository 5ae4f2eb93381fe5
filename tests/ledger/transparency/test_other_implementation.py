"""Ours and somebody else's: trees, proofs, tiles, notes and cosignatures, judged alike.

The other is ``aics-tlog`` from PyPI, which shares no code with ours. Both its makers and
its checkers are used: it reads what we write, we read what it writes, and damaged proofs
are refused by both, and by the verifier that stands alone.
"""

from __future__ import annotations

import hashlib
import importlib
import os
import sys
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.standalone import unsprawl_verify as standalone
from ledger.transparency import notes, tiles
from ledger.transparency.checkpoints import Checkpoint, CheckpointInvalid
from ledger.transparency.merkle import (
    Frontier,
    ProofInvalid,
    consistency_proof,
    inclusion_proof,
    verify_consistency,
    verify_inclusion,
)
from ledger.transparency.notes import NoteInvalid, SignedNote, VerifierKey
from tests.clients.installed import NotInstallable, modules_of

SIZES = [0, 1, 2, 3, 4, 5, 7, 8, 255, 256, 257, 511, 512, 513, 700]
KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
PUBLIC = KEY.public_key().public_bytes_raw()
ORIGIN = "log.example/ledger/log_1/1"
EXAMPLES = int(os.environ.get("UNSPRAWL_SOAK_FUZZ", "150"))
often = settings(max_examples=EXAMPLES, deadline=None)
Bytes = st.binary(min_size=32, max_size=32)


@pytest.fixture(scope="session")
def other() -> Any:
    try:
        place = str(modules_of("tlog"))
    except NotInstallable as reason:
        if os.environ.get("CI") == "true":
            raise
        pytest.skip(f"the other implementation cannot be had: {reason}")
    sys.path.insert(0, place)
    try:
        return importlib.import_module("aics_tlog")
    finally:
        sys.path.remove(place)


def entries(count: int) -> list[bytes]:
    return [f"entry {number}".encode() for number in range(count)]


def leaves(count: int) -> list[bytes]:
    return [hashlib.sha256(b"\0" + entry).digest() for entry in entries(count)]


class Grown:
    """Our tree over some leaves, with every node by name."""

    def __init__(self, hashed: list[bytes]) -> None:
        self.hashed = hashed
        self.files = {
            tile: b"".join(row[tile.number * 256 : tile.number * 256 + tile.width])
            for tile, row in self._rows(hashed)
        }

    @staticmethod
    def _rows(hashed: list[bytes]) -> Any:
        level, row = 0, hashed
        for tile in tiles.tiles_of(len(hashed)):
            while level < tile.level:
                whole = range(0, len(row) // 256 * 256, 256)
                row = [tiles.subtree_root(row[at : at + 256]) for at in whole]
                level += 1
            yield tile, row

    def node(self, level: int, index: int) -> bytes:
        return tiles.Nodes(len(self.hashed), self.files.__getitem__)(level, index)

    def root(self, size: int | None = None) -> bytes:
        frontier = Frontier()
        for leaf in self.hashed[:size]:
            frontier.append(leaf)
        return frontier.root()


@pytest.mark.parametrize("size", SIZES)
def test_both_make_one_tree_and_believe_each_others_proofs(other: Any, size: int) -> None:
    ours, theirs = Grown(leaves(size)), other.MerkleTree(entries(size))
    assert ours.root() == theirs.root() if size else ours.root() == other.EMPTY_HASH
    assert standalone.tree_root(size, ours.node) == ours.root()
    for index in {0, size // 2, size - 1} & set(range(size)):
        made = inclusion_proof(index, size, ours.node)
        assert made == list(theirs.inclusion_proof(index))
        assert other.verify_inclusion(ours.hashed[index], index, size, made, ours.root())
        verify_inclusion(ours.hashed[index], index, size, made, theirs.root())
    for old in {1, 2, size // 3, size // 2, size - 1, size} & set(range(1, size + 1)):
        made = consistency_proof(old, size, ours.node)
        assert made == list(theirs.consistency_proof(old, size))
        assert other.verify_consistency(old, size, ours.root(old), ours.root(), made)
        assert standalone.tree_root(old, ours.node) == theirs.root(old)


@pytest.mark.parametrize("size", SIZES[1:])
def test_both_write_the_same_tiles_at_the_same_paths(other: Any, size: int) -> None:
    ours = Grown(leaves(size))
    theirs = other.tiles.materialise_tiles(entries(size))
    mine = {tile.path: hashes for tile, hashes in ours.files.items()}
    bundles = {path for path in theirs if "/entries/" in path}
    assert mine == {path: raw for path, raw in theirs.items() if path not in bundles}
    first = sorted(bundles)[0]
    width = min(size, 256)
    assert tiles.bundle_entries(entries(size)[:width]) == theirs[first]


@pytest.mark.parametrize("size", [65535, 65536, 65537])
def test_both_agree_at_the_border_of_a_level(other: Any, size: int) -> None:
    hashed = leaves(size)
    ours = Grown(hashed)
    for index in (0, 65535 - 1, size - 1):
        made = inclusion_proof(index, size, ours.node)
        assert other.verify_inclusion(hashed[index], index, size, made, ours.root())
    for old in (1, 256, 32768, size - 1):
        made = consistency_proof(old, size, ours.node)
        assert other.verify_consistency(old, size, ours.root(old), ours.root(), made)


@often
@given(data=st.data(), size=st.integers(1, 70))
def test_a_damaged_proof_is_refused_by_both(other: Any, data: st.DataObject, size: int) -> None:
    ours = Grown(leaves(size))
    index = data.draw(st.integers(0, size - 1))
    old = data.draw(st.integers(1, size))
    whole = inclusion_proof(index, size, ours.node)
    between = consistency_proof(old, size, ours.node)
    for proof, judge in ((whole, "inclusion"), (between, "consistency")):
        damaged = damage(data, proof)
        place = index
        if data.draw(st.booleans()):
            place = data.draw(st.integers(0, 2**63))
        if judge == "inclusion":
            given_ = (ours.hashed[index], place, size, damaged, ours.root())
            mine = holds(verify_inclusion, *given_)
            assert mine == bool(said(other.verify_inclusion, *given_))
            assert mine == ((damaged, place) == (proof, index))
        else:
            checked = (old, size, ours.root(old), ours.root(), damaged)
            mine = holds(verify_consistency, *checked)
            assert mine == bool(said(other.verify_consistency, *checked))
            assert mine == (damaged == proof)


def damage(data: st.DataObject, proof: list[bytes]) -> list[bytes]:
    how = data.draw(st.sampled_from(["none", "extra", "missing", "swapped", "other", "short"]))
    made = list(proof)
    at = data.draw(st.integers(0, max(0, len(made) - 1)))
    if how == "extra":
        made.insert(at, data.draw(Bytes))
    elif how == "missing" and made:
        del made[at]
    elif how == "swapped" and len(made) > 1:
        made[at], made[at - 1] = made[at - 1], made[at]
    elif how == "other" and made:
        made[at] = data.draw(Bytes)
    elif how == "short" and made:
        made[at] = made[at][:31]
    return made


def holds(check: Any, *given_: Any) -> bool:
    try:
        check(*given_)
    except ProofInvalid:
        return False
    return True


def said(check: Any, *given_: Any) -> Any:
    try:
        return check(*given_)
    except ValueError:
        return False


def test_each_reads_the_others_notes_and_cosignatures(other: Any) -> None:
    head = Checkpoint(ORIGIN, 7, Grown(leaves(7)).root())
    line = notes.sign(head.text, ORIGIN, KEY)
    cosigned = notes.cosign(head.text, "witness.example", KEY, at=1_795_000_000)
    mine = bytes(SignedNote(head.text, (line, cosigned)))
    log = other.vkey_from_ed25519(ORIGIN, KEY.public_key())
    witness = other.cosignature_vkey("witness.example", KEY.public_key())
    verdict = other.verify_checkpoint(other.parse_note(mine), log, [witness], 1)
    assert (verdict.ok, verdict.size, verdict.witnesses) == (True, 7, ["witness.example"])
    assert other.format_vkey(log) == str(VerifierKey(ORIGIN, notes.ED25519, PUBLIC))

    theirs = other.sign_checkpoint(other.Checkpoint(ORIGIN, 7, head.root), KEY, ORIGIN)
    line_of_theirs = SignedNote.parse(theirs.to_bytes())
    line_of_theirs.verify(VerifierKey(ORIGIN, notes.ED25519, PUBLIC))
    assert Checkpoint.parse(line_of_theirs.text) == head
    read = standalone.parse_note(theirs.to_bytes())
    found = read.by(ORIGIN, 1, PUBLIC)
    assert found is not None
    assert standalone.signature_holds(PUBLIC, found.signature, read.text.encode())
    seen = standalone.parse_note(mine)
    by_witness = seen.by("witness.example", 4, PUBLIC)
    assert by_witness is not None
    assert standalone.cosigned_at(seen, by_witness, PUBLIC) == 1_795_000_000


HEAD = Checkpoint(ORIGIN, 7, Grown(leaves(7)).root())
NOTE = bytes(SignedNote(HEAD.text, (notes.sign(HEAD.text, ORIGIN, KEY),)))
SIGNED = VerifierKey(ORIGIN, notes.ED25519, PUBLIC)
STRANGE = [
    NOTE.replace(b"\n", b"\r\n"),
    NOTE + NOTE.split(b"\n\n")[1],
    NOTE.replace(b"\n\n", b"\n"),
    NOTE[:-1],
    NOTE + b"\n",
    b"\n" + NOTE,
    NOTE.replace(b"\n7\n", b"\n07\n"),
    NOTE.replace(b"\n7\n", b"\n+7\n"),
    NOTE.replace(b"\n7\n", b"\n8\n"),
    NOTE.replace(b"\n7\n", b"\n9223372036854775808\n"),
    NOTE.replace(b"\n7\n", b"\n-7\n"),
    NOTE.replace("\u2014 ".encode(), b"- "),
    NOTE.replace(b"=\n\n", b"\n\n"),
    NOTE.replace(b"=\n\n", b"==\n\n"),
    NOTE.replace(b" \n", b"\n").replace(b"\n7", b"\n 7"),
    NOTE.replace(ORIGIN.encode(), b"log.example/other"),
    b"\xff" + NOTE,
    NOTE.replace(b"\n7\n", "\n\u0667\n".encode()),
]


@pytest.mark.parametrize("raw", STRANGE)
def test_a_strange_note_is_refused_by_all_three(other: Any, raw: bytes) -> None:
    lenient = raw == NOTE[:-1]  # a last line that does not end: the other reads it all the same
    assert (ours(raw), alone(raw), their(other, raw)) == (False, False, lenient)


def ours(raw: bytes) -> bool:
    try:
        note = SignedNote.parse(raw)
        note.verify(SIGNED)
        Checkpoint.parse(note.text)
    except (NoteInvalid, CheckpointInvalid):
        return False
    return True


def alone(raw: bytes) -> bool:
    try:
        note = standalone.parse_note(raw)
        head = standalone.parse_checkpoint(note.text)
        line = note.by(head.origin, 1, PUBLIC) if head.origin == ORIGIN else None
    except standalone.Malformed:
        return False
    return line is not None and standalone.signature_holds(
        PUBLIC, line.signature, note.text.encode()
    )


def their(other: Any, raw: bytes) -> bool:
    try:
        note = other.parse_note(raw)
    except ValueError:
        return False
    log = other.vkey_from_ed25519(ORIGIN, KEY.public_key())
    return bool(other.verify_checkpoint(note, log, expected_origin=ORIGIN).ok)


@often
@given(data=st.data())
def test_no_changed_note_is_believed_by_any(other: Any, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(NOTE) - 1))
    how = data.draw(st.sampled_from(["flip", "cut", "repeat", "insert"]))
    if how == "flip":
        raw = NOTE[:at] + bytes([NOTE[at] ^ (1 << data.draw(st.integers(0, 7)))]) + NOTE[at + 1 :]
    elif how == "cut":
        raw = NOTE[:at]
    elif how == "repeat":
        raw = NOTE[:at] + NOTE[at : at + 40] + NOTE[at:]
    else:
        raw = NOTE[:at] + data.draw(st.binary(min_size=1, max_size=3)) + NOTE[at:]
    judged = (ours(raw), alone(raw), their(other, raw))
    assert judged == (raw == NOTE, raw == NOTE, raw in (NOTE, NOTE[:-1]))


def test_all_three_believe_the_true_one(other: Any) -> None:
    assert (ours(NOTE), alone(NOTE), their(other, NOTE)) == (True, True, True)
