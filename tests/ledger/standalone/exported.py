"""A log as its writers make it, sequenced, witnessed and exported: what an auditor is given."""

from __future__ import annotations

import base64
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.db import connection

from kernel import clock
from ledger.exports.planning import make_plan, period_between
from ledger.exports.scope import OneAgent, OneRun, Scope
from ledger.exports.signing import ExportSigner, ensure_export_key
from ledger.exports.writing import export
from ledger.models import Checkpoint, CheckpointSignature, Epoch
from ledger.standalone.unsprawl_verify import Key, Report, Trust, verify
from ledger.transparency import checkpoints, notes
from tests.ledger.sequenced import LOG_KEY, sequence_now

URL = "https://agents.example"
WITNESS_NAME = "witness.example"
WITNESS_KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32, 64)))

Lines = list[bytes]


def public(key: Ed25519PrivateKey) -> bytes:
    return key.public_key().public_bytes_raw()


TRUST = Trust(
    keys=(Key(None, LOG_KEY.public),),
    witnesses=(Key(WITNESS_NAME, public(WITNESS_KEY)),),
    quorum=1,
)


def database() -> Any:
    connection.ensure_connection()
    return connection.connection


def cosign_all(key: Ed25519PrivateKey = WITNESS_KEY, name: str = WITNESS_NAME) -> None:
    """Let a witness cosign every checkpoint that it has not."""
    for epoch in Epoch.objects.all():
        done = CheckpointSignature.objects.filter(epoch=epoch.number, signer=name)
        for row in Checkpoint.objects.filter(epoch=epoch.number).exclude(
            size__in=done.values("size")
        ):
            text = checkpoints.Checkpoint(epoch.origin, row.size, bytes(row.root)).text
            line = notes.cosign(text, name, key, at=int(clock.now().timestamp()))
            CheckpointSignature.objects.create(
                epoch=epoch.number, size=row.size, signer=name, is_witness=True,
                line=str(line), signed_at=clock.now(),
            )  # fmt: skip


def grow(limit: int = 1_000) -> None:
    """Sequence, sign and cosign everything that was recorded."""
    sequence_now(limit=limit)
    cosign_all()


def whole_log() -> Scope:
    return period_between(database(), None, None)


class Exporter:
    """Writes exports, and signs them with a key of its own."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        directory.mkdir(exist_ok=True)
        ensure_export_key(directory, URL)
        self.signer = ExportSigner(directory, URL)

    @property
    def key(self) -> Key:
        vkey = self.signer.vkey
        return Key(vkey.name, vkey.public)

    def lines(self, scope: Scope | str | None = None, *, payloads: bool = True) -> Lines:
        """Return the lines of a run, an agent, or the whole log."""
        if isinstance(scope, str):
            scope = OneRun(scope) if scope.startswith("run_") else OneAgent(scope)
        plan = make_plan(database(), scope or whole_log(), payloads=payloads)
        return list(export(database(), plan, self.signer))

    def check(self, lines: Lines, **over: Any) -> Report:
        """Write a file of these lines, and verify it."""
        path = self.directory / "export.jsonl"
        path.write_bytes(b"".join(lines))
        return verify(str(path), TRUST._replace(export_keys=(self.key,))._replace(**over))


def note_of(epoch: int = 1, size: int | None = None) -> bytes:
    """Return a checkpoint's note as the log and the witness signed it: what an auditor keeps."""
    rows = Checkpoint.objects.filter(epoch=epoch).order_by("-size")
    row = rows.get(size=size) if size else rows[0]
    text = checkpoints.Checkpoint(
        Epoch.objects.get(number=epoch).origin, row.size, bytes(row.root)
    ).text
    lines = CheckpointSignature.objects.filter(epoch=epoch, size=row.size).order_by("is_witness")
    return (text + "\n" + "".join(f"{line.line}\n" for line in lines)).encode()


def edited(line: bytes, change: Callable[[dict[str, Any]], None]) -> bytes:
    """Change a line's document, and write it in canonical form again."""
    import json

    from kernel.canonical import canonical

    document = json.loads(line)
    change(document)
    return canonical(document) + b"\n"


def b64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()
