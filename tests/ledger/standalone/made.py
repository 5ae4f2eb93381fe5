"""An export of a whole log made by hand, of any size, without a database.

It follows docs/ledger-format.md and shares only the tree with the service, so that what
reads exports is not tried on what the same people wrote alone. For sizes at the borders of
tiles, for files that no service would write, and for measuring.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from ledger.standalone.unsprawl_verify import Key, Trust
from ledger.transparency import notes
from ledger.transparency.checkpoints import Checkpoint
from ledger.transparency.merkle import Frontier
from ledger.transparency.tiles import WIDTH, subtree_root, tiles_of

ORIGIN = "made.example/ledger/log_made/1"
LOG = Ed25519PrivateKey.from_private_bytes(bytes(range(1, 33)))
WITNESS = Ed25519PrivateKey.from_private_bytes(bytes(range(2, 34)))
EXPORTER = Ed25519PrivateKey.from_private_bytes(bytes(range(3, 35)))
SEEN_AT = 1_795_000_000
OPENED_AT = "2026-11-18T00:00:00.000000Z"
RECORDED_AT = "2026-11-18T11:00:00.000042Z"  # well before the witness saw it


def public(key: Ed25519PrivateKey) -> bytes:
    return key.public_key().public_bytes_raw()


TRUST = Trust(
    keys=(Key(None, public(LOG)),),
    witnesses=(Key(None, public(WITNESS)),),
    quorum=1,
    export_keys=(Key(None, public(EXPORTER)),),
)


def line_of(document: Any) -> bytes:
    spelt = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return spelt.encode() + b"\n"


def b64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def leaf_of(header: bytes) -> bytes:
    return hashlib.sha256(b"\0" + header).digest()


def headers(count: int, *, calls: int = 5) -> Iterator[bytes]:
    """Yield the headers of runs of so many answered calls each, as a gateway writes them."""
    made, run = 0, 0
    while made < count:
        stream, prev = f"run_{run:026d}", "0" * 64
        for seq in range(1, 2 * calls + 1):
            if made == count:
                return
            is_intent = seq % 2 == 1
            document = {
                "v": 1, "id": f"ent_{made:026d}", "stream": stream, "writer": "gw_01", "seq": seq,
                "prev": prev, "kind": "intent" if is_intent else "result",
                "verb": "call.intended" if is_intent else "call.completed",
                "actor": f"agent:agt_{run % 50:026d}", "agent": f"agt_{run % 50:026d}",
                "subject": "model:mdl_01", "recorded_at": RECORDED_AT,
                "facts": {
                    "route": "sandbox", "vendor": "sandbox", "model": "sandbox-1", "streamed": True,
                    "operation": "chat", "requested_model": "sandbox", "attempt": 1,
                    "input_tokens": 812, "output_tokens": 97, "cost_micros": None,
                },
            }  # fmt: skip
            if not is_intent:
                document["intent"] = f"ent_{made - 1:026d}"
            header = line_of(document)[:-1]
            prev = leaf_of(header).hex()
            made += 1
            yield header
        run += 1


@dataclass
class Made:
    """A whole log's export; every part may be replaced before its lines are written."""

    headers: list[bytes]
    scope: dict[str, Any] | None = None
    sizes: Sequence[int] = ()
    log: Ed25519PrivateKey = LOG
    witness: Ed25519PrivateKey | None = WITNESS
    payloads: dict[int, tuple[bytes, bytes]] = field(default_factory=dict)
    keys: Sequence[dict[str, Any]] = ()
    change: Callable[[dict[str, Any]], dict[str, Any] | None] = lambda document: document

    def lines(self) -> Iterator[bytes]:
        hasher = hashlib.sha256()
        counts: dict[str, int] = {}
        chains = set()
        for document in self._documents():
            changed = self.change(document)
            if changed is None:
                continue
            line = line_of(changed)
            name = next(iter(changed))
            counts[name] = counts.get(name, 0) + 1
            if name == "entry":
                header = json.loads(base64.b64decode(changed["entry"]["header"]))
                chains.add((header["stream"], header["writer"]))
            hasher.update(line)
            yield line
        is_period = self.scope is None or "period" in self.scope
        ended = {
            f"{name}s": counts.get(name, 0)
            for name in ("artifact", "checkpoint", "epoch", "key", "tile")
        } | {
            "chains": None if is_period else len(chains),
            "entries": counts.get("entry", 0),
            "payloads": len(self.payloads),
            "sha256": hasher.hexdigest(),
        }
        end = line_of({"end": ended})
        hasher.update(end)
        yield end
        text = f"unsprawl.export/2\n{hasher.hexdigest()}\n"
        signed = notes.sign(text, "made.example/export", EXPORTER)
        yield line_of({"signature": f"{text}\n{signed}\n"})

    def _documents(self) -> Iterator[dict[str, Any]]:
        size = len(self.headers)
        ranges = [{"epoch": 1, "start": 0, "end": size}] if size else []
        yield {
            "exported_at": "2026-11-18T12:00:00.000000Z", "format": "unsprawl.export/2",
            "payloads": bool(self.payloads),
            "scope": self.scope or {"period": {"from": None, "to": None, "ranges": ranges}},
        }  # fmt: skip
        yield {
            "epoch": {
                "number": 1, "origin": ORIGIN, "public_key": b64(public(self.log)),
                "opened_at": OPENED_AT, "reason": "",
            }
        }  # fmt: skip
        leaves = []
        for index, header in enumerate(self.headers):
            entry: dict[str, Any] = {"header": b64(header), "epoch": 1, "index": index}
            if index in self.payloads:
                nonce, ciphertext = self.payloads[index]
                entry["payload"] = {"nonce": b64(nonce), "ciphertext": b64(ciphertext)}
            leaves.append(leaf_of(header))
            yield {"entry": entry}
        yield from self._tiles(leaves)
        yield from ({"key": key} for key in self.keys)
        for at in sorted({*self.sizes, size} - {0}):
            yield {"checkpoint": {"epoch": 1, "note": self.note(leaves[:at])}}

    def note(self, leaves: list[bytes]) -> str:
        frontier = Frontier()
        for leaf in leaves:
            frontier.append(leaf)
        text = Checkpoint(ORIGIN, len(leaves), frontier.root()).text
        lines = [notes.sign(text, ORIGIN, self.log)]
        if self.witness is not None:
            lines.append(notes.cosign(text, "witness.example", self.witness, at=SEEN_AT))
        return text + "\n" + "".join(f"{line}\n" for line in lines)

    def _tiles(self, leaves: list[bytes]) -> Iterator[dict[str, Any]]:
        level, row = 0, leaves
        for tile in tiles_of(len(leaves)):
            if tile.level > level:
                whole = len(row) // WIDTH * WIDTH
                row = [subtree_root(row[at : at + WIDTH]) for at in range(0, whole, WIDTH)]
                level = tile.level
            first = tile.number * WIDTH
            yield {
                "tile": {
                    "epoch": 1, "level": level, "number": tile.number, "width": tile.width,
                    "hashes": b64(b"".join(row[first : first + tile.width])),
                }
            }  # fmt: skip
