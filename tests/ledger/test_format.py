"""docs/ledger-format.md, followed by hand: nothing of ours but the file and the keys."""

from __future__ import annotations

import base64
import hashlib
import json
from pathlib import Path

import pytest
import zstandard
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite

from ledger.models import DataKey
from tests.ledger.standalone.exported import Exporter, grow
from tests.ledger.test_verification import call


@pytest.mark.django_db
def test_an_export_is_what_the_document_says(key_directory: Path, tmp_path: Path) -> None:
    for _ in range(2):
        call("run_a")
    grow()
    lines = [json.loads(line) for line in Exporter(tmp_path / "exports").lines("run_a")]
    assert lines[0]["format"] == "unsprawl.export/2"
    assert lines[0]["scope"] == {"run": "run_a"}

    previous, intents, opened, leaves = "00" * 32, set(), [], []
    for seq, line in enumerate((line["entry"] for line in lines if "entry" in line), 1):
        raw = base64.b64decode(line["header"])
        header = json.loads(raw)
        spelt = json.dumps(header, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        assert spelt.encode() == raw
        assert (header["v"], header["seq"], header["prev"]) == (1, seq, previous)
        previous = hashlib.sha256(b"\x00" + raw).hexdigest()
        assert (line["epoch"], line["index"]) == (1, seq - 1)
        leaves.append(bytes.fromhex(previous))
        if header["kind"] == "intent":
            intents.add(header["id"])
        else:
            intents.remove(header["intent"])
        if "payload" in line:
            opened.append(open_by_hand(header, line["payload"], key_directory))
    assert intents == set()
    assert opened == [b"a question"] * 2

    (tile,) = [line["tile"] for line in lines if "tile" in line]
    assert base64.b64decode(tile["hashes"]) == b"".join(leaves)
    pairs = [hashlib.sha256(b"\x01" + leaves[at] + leaves[at + 1]).digest() for at in (0, 2)]
    root = hashlib.sha256(b"\x01" + b"".join(pairs)).digest()
    (note,) = [line["checkpoint"]["note"] for line in lines if "checkpoint" in line]
    text, _, under = note.partition("\n\n")
    origin, size, stated = text.split("\n")
    assert (size, stated) == ("4", base64.b64encode(root).decode())
    signature = base64.b64decode(under.split("\n")[0].split(" ")[2])
    (epoch,) = [line["epoch"] for line in lines if "epoch" in line]
    public = base64.b64decode(epoch["public_key"])
    named = hashlib.sha256(f"{origin}\n\x01".encode() + public).digest()
    assert signature[:4] == named[:4]
    Ed25519PublicKey.from_public_bytes(public).verify(signature[4:], f"{text}\n".encode())


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
