"""docs/ledger-format.md, followed by hand: nothing of ours but the file and the keys."""

from __future__ import annotations

import base64
import hashlib
import json
from pathlib import Path

import pytest
import zstandard
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite

from ledger.export import export_stream
from ledger.models import DataKey
from tests.ledger.test_verification import call


@pytest.mark.django_db
def test_an_export_is_what_the_document_says(key_directory: Path) -> None:
    for _ in range(2):
        call("run_a")
    first, *entries, last = [json.loads(line) for line in export_stream("run_a")]
    assert first["format"] == "unsprawl.run-export/1"

    previous, intents, opened = "00" * 32, set(), []
    for seq, line in enumerate(entries, 1):
        raw = base64.b64decode(line["header"])
        header = json.loads(raw)
        spelt = json.dumps(header, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        assert spelt.encode() == raw
        assert (header["v"], header["seq"], header["prev"]) == (1, seq, previous)
        previous = hashlib.sha256(b"\x00" + raw).hexdigest()
        assert line["leaf_hash"] == previous
        if header["kind"] == "intent":
            intents.add(header["id"])
        else:
            intents.remove(header["intent"])
        if "payload" in line:
            opened.append(open_by_hand(header, line["payload"], key_directory))
    assert intents == set()
    assert opened == [b"a question"] * 2
    assert last["end"] == {"chains": {"app": {"leaf_hash": previous, "seq": 4}}, "entries": 4}


def open_by_hand(header: dict[str, dict[str, object]], stored: dict[str, str], keys: Path) -> bytes:
    said = header["payload"]
    nonce, ciphertext = (base64.b64decode(stored[name]) for name in ("nonce", "ciphertext"))
    assert said["ciphertext_sha256"] == hashlib.sha256(nonce + ciphertext).hexdigest()
    row = DataKey.objects.get(dek_id=said["dek"])
    ring = json.loads((keys / "payload.key.json").read_text())["keys"]
    private = X25519PrivateKey.from_private_bytes(base64.b64decode(ring[row.ring_key_id]))
    bound = f"unsprawl/1|payload|ledger.datakey|{row.dek_id}|{row.scope}|{row.data_class}"
    suite = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)
    key = suite.decrypt(bytes(row.wrapped_key or b""), private, info=bound.encode())
    inside = AESGCM(key).decrypt(nonce, ciphertext, str(header["id"]).encode())
    salt, plaintext = inside[:32], zstandard.ZstdDecompressor().decompress(inside[32:])
    assert said["size"] == len(plaintext)
    length = len(plaintext).to_bytes(8, "big")
    committed = hashlib.sha256(b"unsprawl/payload/1" + salt + length + plaintext).hexdigest()
    assert said["commitment"] == committed
    return plaintext
