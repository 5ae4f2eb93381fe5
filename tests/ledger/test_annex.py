from __future__ import annotations

import pytest

from ledger.annex import unpacked_annex
from ledger.entries import (
    DataKeyInUse,
    PayloadAltered,
    PayloadDigest,
    ciphertext_digest,
    decrypt_whole,
    encrypt_payload,
    open_payload,
)

KEY = DataKeyInUse("dek_1", bytes(32))


@pytest.mark.parametrize("annex", [b"{}", b'{"sent":"00"}' * 100, b"{}\n" + bytes(70_000)])
def test_an_annex_lies_behind_its_payload_and_readers_pass_over_it(annex: bytes) -> None:
    stored = encrypt_payload(b"hello", KEY, "ent_1", annex)
    digest = PayloadDigest(
        "dek_1", ciphertext_digest(stored.nonce, stored.ciphertext), stored.commitment, stored.size
    )
    assert open_payload(digest, stored.nonce, stored.ciphertext, KEY, "ent_1") == b"hello"
    assert decrypt_whole(stored.nonce, stored.ciphertext, KEY, "ent_1")[1:] == (b"hello", annex)


def test_without_an_annex_nothing_is_added() -> None:
    bare, other = encrypt_payload(b"hello", KEY, "ent_1"), encrypt_payload(b"hello", KEY, "ent_1")
    assert len(bare.ciphertext) == len(other.ciphertext)
    assert decrypt_whole(bare.nonce, bare.ciphertext, KEY, "ent_1")[2] == b""


@pytest.mark.parametrize("frame", [b"x", b"\x51\x2a\x4d\x18\x02\x00\x00\x00\x00", b"PK" + bytes(9)])
def test_what_follows_a_payload_and_is_no_annex_is_refused(frame: bytes) -> None:
    with pytest.raises(ValueError, match="no annex"):
        unpacked_annex(frame)


def test_a_payload_that_was_cut_off_is_told() -> None:
    with pytest.raises(PayloadAltered):
        decrypt_whole(bytes(12), b"short", KEY, "ent_1")
