from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from ledger.transparency.checkpoints import Checkpoint, CheckpointInvalid
from ledger.transparency.merkle import EMPTY_ROOT
from ledger.transparency.notes import (
    COSIGNATURE_V1,
    ED25519,
    NoteInvalid,
    SignedNote,
    VerifierKey,
    cosign,
    sign,
)

LOG = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
WITNESS = Ed25519PrivateKey.from_private_bytes(bytes(range(32, 64)))
ORIGIN = "ledger.example/log/1"
TEXT = Checkpoint(ORIGIN, 3, bytes(32)).text
LOG_KEY = VerifierKey(ORIGIN, ED25519, LOG.public_key().public_bytes_raw())
WITNESS_KEY = VerifierKey("w.example", COSIGNATURE_V1, WITNESS.public_key().public_bytes_raw())


def note() -> SignedNote:
    lines = (sign(TEXT, ORIGIN, LOG), cosign(TEXT, "w.example", WITNESS, at=1_790_000_000))
    return SignedNote(TEXT, lines)


def believe(raw: bytes) -> None:
    read = SignedNote.parse(raw)
    Checkpoint.parse(read.text)
    read.verify(LOG_KEY)
    read.verify(WITNESS_KEY)


def test_a_note_says_who_signed_and_a_witness_when() -> None:
    read = SignedNote.parse(bytes(note()))
    assert read == note()
    assert read.verify(LOG_KEY) is None
    assert read.verify(WITNESS_KEY) == 1_790_000_000
    assert Checkpoint.parse(read.text) == Checkpoint(ORIGIN, 3, bytes(32))


def test_signing_again_gives_the_same_bytes() -> None:
    assert sign(TEXT, ORIGIN, LOG) == sign(TEXT, ORIGIN, LOG)


def test_a_key_is_read_as_it_was_written_and_no_other_way() -> None:
    assert VerifierKey.parse(str(LOG_KEY)) == LOG_KEY
    for wrong in ("", "a", "a+b+c", str(LOG_KEY)[:-4], str(LOG_KEY).replace("+", "+0", 1)):
        with pytest.raises(NoteInvalid):
            VerifierKey.parse(wrong)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"\n3\n", b"\n4\n"),
        (b"time", b"time"),
        (b"\n\n", b"\n"),
        (b"\xe2\x80\x94 ledger", b"- ledger"),
        (b"\n3\n", b"\r\n3\n"),
        (b"\n3\n", b"\n03\n"),
        (b"\n3\n", b"\n9223372036854775808\n"),
    ],
)
def test_a_note_that_was_touched_is_not_believed(old: bytes, new: bytes) -> None:
    raw = bytes(note())
    if old == new:
        raw = raw[:-3] + b"A=\n" if not raw.endswith(b"A=\n") else raw[:-3] + b"B=\n"
    else:
        raw = raw.replace(old, new, 1)
    with pytest.raises((NoteInvalid, CheckpointInvalid)):
        believe(raw)


def test_two_lines_of_one_signer_are_not_believed() -> None:
    twice = SignedNote(
        TEXT,
        (
            cosign(TEXT, "w.example", WITNESS, at=1),
            cosign(TEXT, "w.example", WITNESS, at=2),
        ),
    )
    with pytest.raises(NoteInvalid, match="more than one"):
        twice.verify(WITNESS_KEY)


def test_lines_are_added_once() -> None:
    assert note().with_lines(note().signatures) == note()


@pytest.mark.parametrize(
    "text",
    ["", "a\n1\n", "a\n-1\n" + "A" * 43 + "=\n", "a\n0\n" + "A" * 43 + "=\n", "a\n1\nAAAA\n"],
)
def test_what_is_no_checkpoint_is_refused(text: str) -> None:
    with pytest.raises(CheckpointInvalid):
        Checkpoint.parse(text)


def test_an_empty_tree_is_a_checkpoint() -> None:
    empty = Checkpoint(ORIGIN, 0, EMPTY_ROOT)
    assert Checkpoint.parse(empty.text) == empty
