"""docs/ledger-format.md, "Export", followed by hand: every rule a reader can check is checked."""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import dataclass, field
from typing import Any

import rfc8785

from ledger.transparency.checkpoints import Checkpoint
from ledger.transparency.merkle import (
    consistency_proof,
    inclusion_proof,
    root_of,
    verify_consistency,
    verify_inclusion,
)
from ledger.transparency.notes import SignedNote, VerifierKey
from ledger.transparency.tiles import Nodes, Tile

ORDER = ["format", "epoch", "entry", "tile", "key", "artifact", "checkpoint", "end", "signature"]


@dataclass
class Read:
    first: dict[str, Any]
    epochs: list[dict[str, Any]] = field(default_factory=list)
    entries: list[dict[str, Any]] = field(default_factory=list)
    tiles: list[dict[str, Any]] = field(default_factory=list)
    keys: list[dict[str, Any]] = field(default_factory=list)
    artifacts: list[dict[str, Any]] = field(default_factory=list)
    checkpoints: list[dict[str, Any]] = field(default_factory=list)
    end: dict[str, Any] = field(default_factory=dict)
    proven: int = 0

    @property
    def headers(self) -> list[dict[str, Any]]:
        return [json.loads(base64.b64decode(entry["header"])) for entry in self.entries]


def read(raw: bytes, key: VerifierKey) -> Read:
    lines = raw.splitlines(keepends=True)
    documents = [json.loads(line) for line in lines]
    for line, document in zip(lines, documents, strict=True):
        assert line == rfc8785.dumps(document) + b"\n"
    found = Read(documents[0])
    assert found.first["format"] == "unsprawl.export/2"
    plural = {"entry": "entries"}
    stage = 1
    for document in documents[1:-2]:
        ((kind, content),) = document.items()
        assert ORDER.index(kind) >= stage, f"{kind} out of order"
        stage = ORDER.index(kind)
        getattr(found, plural.get(kind, kind + "s")).append(content)
    found.end = documents[-2]["end"]
    assert found.end["sha256"] == hashlib.sha256(b"".join(lines[:-2])).hexdigest()
    for name in ("epochs", "entries", "tiles", "keys", "artifacts", "checkpoints"):
        assert found.end[name] == len(getattr(found, name)), name
    assert found.end["payloads"] == sum("payload" in entry for entry in found.entries)
    note = SignedNote.parse(documents[-1]["signature"].encode())
    assert note.text == f"unsprawl.export/2\n{hashlib.sha256(b''.join(lines[:-1])).hexdigest()}\n"
    note.verify(key)
    _check_trees(found)
    return found


def _check_trees(found: Read) -> None:
    kept = {
        (tile["epoch"], Tile(tile["level"], tile["number"], tile["width"])): base64.b64decode(
            tile["hashes"]
        )
        for tile in found.tiles
    }
    for epoch in found.epochs:
        _check_epoch(found, epoch, kept)
    order = [(tile["epoch"], tile["level"], tile["number"]) for tile in found.tiles]
    assert order == sorted(set(order))


def _check_epoch(found: Read, epoch: dict[str, Any], kept: dict[tuple[int, Tile], bytes]) -> None:
    number = epoch["number"]
    vkey = VerifierKey(epoch["origin"], 1, base64.b64decode(epoch["public_key"]))
    stated = []
    for line in found.checkpoints:
        if line["epoch"] == number:
            note = SignedNote.parse(line["note"].encode())
            note.verify(vkey)
            stated.append(Checkpoint.parse(note.text))
    if not stated:
        return
    assert [each.size for each in stated] == sorted({each.size for each in stated})
    head = stated[-1]
    nodes = Nodes(head.size, lambda tile: kept[number, tile])
    assert root_of(head.size, nodes) == head.root
    for each in stated[:-1]:
        proof = consistency_proof(each.size, head.size, nodes)
        verify_consistency(each.size, head.size, each.root, head.root, proof)
    for entry in found.entries:
        if entry["epoch"] == number:
            leaf = hashlib.sha256(b"\x00" + base64.b64decode(entry["header"])).digest()
            proof = inclusion_proof(entry["index"], head.size, nodes)
            verify_inclusion(leaf, entry["index"], head.size, proof, head.root)
            found.proven += 1
