"""Entries of many calls, chained as the gateway chains them, made without the gateway.

Owns their form. They are what `verify` would find after the same calls, so checking them
costs what checking real ones costs.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

from bench.bulk import Bulk
from kernel import clock
from kernel.refs import Ref, new_id
from kernel.sealing import RingFile
from ledger.datakeys import DataKeySource
from ledger.entries import GENESIS, DataKeyInUse, Fact, Fields, Link, encrypt_payload, link

WRITER: Final = "gw-bench"
_ENTRY: Final = (
    "entry_id", "stream", "writer", "seq", "prev_hash", "header", "leaf_hash", "kind", "verb",
    "actor", "subject", "agent_id", "intent_id", "recorded_at",
)  # fmt: skip
_PAYLOAD: Final = ("entry_id", "recorded_at", "dek_id", "nonce", "ciphertext")
_DIGEST: Final = "sha256:" + "5a" * 32
_SAID: Final = b'{"messages":[{"role":"user","content":"%b"}]}' % (b"What happened at ten? " * 20)


@dataclass(frozen=True, slots=True)
class Made:
    """A call that was made: what its two entries speak of."""

    intent_id: str
    run_id: str
    agent_id: str
    route: str
    vendor: str
    model: str
    status: str
    cost_micros: int | None
    started_at: datetime
    duration_ms: int


class Chain:
    """The end of one chain, and the links that were added."""

    def __init__(self, stream: str, writer: str) -> None:
        self.stream, self.writer = stream, writer
        self.seq, self.leaf = 0, GENESIS

    def add(self, fields: Fields) -> Link:
        self.seq += 1
        made = link(
            fields, stream=self.stream, writer=self.writer, seq=self.seq, prev_hash=self.leaf
        )
        self.leaf = made.leaf_hash
        return made


def links_of(calls: Iterable[Made], key: DataKeyInUse | None = None) -> Iterator[Link]:
    """Return the intents and results of calls; calls of one run must follow each other."""
    chain = Chain("", WRITER)
    for call in calls:
        if call.run_id != chain.stream:
            chain = Chain(call.run_id, WRITER)
        for fields in (_intent(call), _result(call)):
            yield chain.add(_sealed(fields, key) if key else fields)


def copy_links(bulk: Bulk, links: Iterable[Link]) -> None:
    """Copy entries in, and their payloads beside them."""
    payloads: list[tuple[Any, ...]] = []
    bulk.copy("ledger_entry", _ENTRY, _columns(links, payloads))
    bulk.copy("ledger_payload", _PAYLOAD, payloads)


def data_key(bulk: Bulk, keys_dir: Path) -> DataKeyInUse:
    """Make a data key and its row."""
    key, row = DataKeySource(RingFile(keys_dir, "payload").current).key_for("org", "internal")
    assert row is not None  # noqa: S101  the first use of a key makes its row
    bulk.copy(
        "ledger_datakey",
        ("dek_id", "scope", "data_class", "ring_key_id", "wrapped_key", "created_at", "state"),
        [(*row.parameters, "active")],
    )
    return key


def note_writer(bulk: Bulk) -> None:
    """Say who wrote the chains, once."""
    now = clock.now()
    bulk.copy(
        "ledger_writer",
        ("writer", "process", "started_at", "heartbeat_at"),
        [(WRITER, "gateway", now, now)],
    )


def _columns(links: Iterable[Link], payloads: list[tuple[Any, ...]]) -> Iterator[tuple[Any, ...]]:
    for each in links:
        fields, sealed = each.fields, each.fields.payload
        if sealed is not None:
            payloads.append(
                (each.entry_id, fields.recorded_at, sealed.dek_id, sealed.nonce, sealed.ciphertext)
            )
        yield (
            each.entry_id, each.stream, each.writer, each.seq, each.prev_hash, each.header,
            each.leaf_hash, fields.kind, fields.verb, str(fields.actor), str(fields.subject),
            fields.agent_id, fields.intent_id, fields.recorded_at,
        )  # fmt: skip


def _sealed(fields: Fields, key: DataKeyInUse) -> Fields:
    return replace(fields, payload=encrypt_payload(_SAID, key, fields.entry_id))


def _intent(call: Made) -> Fields:
    facts: dict[str, Fact] = {
        "bundle": _DIGEST,
        "input": _DIGEST,
        "rule": "allow",
        "operation": "chat",
        "route": call.route,
        "requested_model": call.route,
        "vendor": call.vendor,
        "model": call.model,
        "region": "",
        "key": "key_bench",
        "streamed": False,
    }
    return Fields(
        kind="intent",
        verb="call.intended",
        actor=Ref("agent", call.agent_id),
        subject=Ref("model", "mod_bench"),
        recorded_at=call.started_at,
        agent_id=call.agent_id,
        facts=facts,
        entry_id=call.intent_id,
    )


def _result(call: Made) -> Fields:
    facts: dict[str, Fact] = {
        "status": call.status,
        "http_status": 200,
        "route": call.route,
        "requested_model": call.route,
        "vendor": call.vendor,
        "model": call.model,
        "reported_model": call.model,
        "input_tokens": 900,
        "output_tokens": 300,
        "cached_tokens": 0,
        "usage_estimated": False,
        "cost_micros": call.cost_micros,
        "currency": "USD",
        "duration_ms": call.duration_ms,
        "streamed": False,
    }
    return Fields(
        kind="result",
        verb="call.completed" if call.status == "ok" else "call.failed",
        actor=Ref("agent", call.agent_id),
        subject=Ref("model", "mod_bench"),
        recorded_at=call.started_at + timedelta(milliseconds=call.duration_ms),
        agent_id=call.agent_id,
        intent_id=call.intent_id,
        facts=facts,
        entry_id=new_id("ent"),
    )
