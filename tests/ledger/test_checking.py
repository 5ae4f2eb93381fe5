"""Logs made up at random, one change each: found at the right entry; none, no alarm."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from kernel.canonical import canonical
from kernel.refs import Ref
from ledger.checking import Checker, Finding, StoredEntry, StoredPayload, Verdict
from ledger.entries import (
    GENESIS,
    DataKeyInUse,
    Fields,
    ciphertext_digest,
    encrypt_payload,
    leaf_hash,
    link,
)
from ledger.headers import KINDS, read_header

KEY = DataKeyInUse("dek_1", bytes(32))
BEGAN = datetime(2026, 1, 1, tzinfo=UTC)
SEEDS = range(40)


@dataclass
class Row:
    entry: StoredEntry
    payloads: list[StoredPayload]

    def change(self, **columns: object) -> None:
        self.entry = self.entry._replace(**columns)  # type: ignore[arg-type]

    def rewrite(self, **members: object) -> None:
        """Put something else into the header, and make leaf and columns fit it."""
        raw = canonical(json.loads(self.entry.header) | members)
        header = read_header(raw)
        columns = {name: getattr(header, name) for name in ("kind", "verb", "actor", "prev_hash")}
        self.change(header=raw, leaf_hash=leaf_hash(raw), **columns)


Log = list[Row]


def dice(seed: int) -> random.Random:
    return random.Random(seed)  # noqa: S311  the same logs every time


def make_log(chance: random.Random) -> Log:
    log: Log = []
    number = 0
    for stream in range(chance.randint(1, 3)):
        open_intents: list[str] = []
        for writer in range(chance.randint(1, 3)):
            previous = GENESIS
            for seq in range(1, chance.randint(4, 9)):
                number += 1
                kind = chance.choice(sorted(KINDS - {"result"}))
                if open_intents and chance.random() < 0.4:
                    kind = "result"
                entry_id = f"ent_{number:06}"
                answered = open_intents.pop(0) if kind == "result" else None
                if kind == "intent":
                    open_intents.append(entry_id)
                payload = None
                if chance.random() < 0.5:
                    payload = encrypt_payload(chance.randbytes(8), KEY, entry_id)
                said = Fields(
                    kind, "thing.done", Ref("person", "p"), Ref("agent", "a"),
                    BEGAN + timedelta(seconds=number), agent_id="a", intent_id=answered,
                    facts={"n": number}, payload=payload, entry_id=entry_id,
                )  # fmt: skip
                added = link(
                    said, stream=f"run_{stream}", writer=f"gw_{writer}", seq=seq, prev_hash=previous
                )
                previous = added.leaf_hash
                log.append(Row(StoredEntry(
                    entry_id, added.stream, added.writer, seq, added.prev_hash, added.header,
                    added.leaf_hash, kind, said.verb, str(said.actor), str(said.subject),
                    said.agent_id, answered, said.recorded_at,
                ), [] if payload is None else [StoredPayload(
                    entry_id, said.recorded_at, payload.dek_id,
                    ciphertext_digest(payload.nonce, payload.ciphertext), has_key=True,
                )]))  # fmt: skip
    return log


def check(log: Log) -> Verdict:
    checker = Checker()
    for row in sorted(log, key=lambda row: row.entry[1:4]):
        header = checker.entry(row.entry)
        if header is not None:
            checker.payload(row.entry, header, row.payloads, lambda dek: True)
    return checker.verdict()


def test_a_thousand_clean_logs_raise_no_alarm() -> None:
    for seed in range(1000):
        verdict = check(make_log(dice(seed)))
        assert verdict.is_valid, (seed, verdict.first)


# Each changes a log and returns the entry at which that must first show, or None where
# this log has no place for such a change.
Mutation = Callable[[Log, random.Random], StoredEntry | None]


def inner(log: Log, chance: random.Random) -> int | None:
    """Find an entry that has one after it in its chain."""
    places = [
        place for place, (one, two) in enumerate(pairwise(log)) if one.entry[1:3] == two.entry[1:3]
    ]
    return chance.choice(places) if places else None


def edit_header(log: Log, chance: random.Random) -> StoredEntry | None:
    row = chance.choice(log)
    row.change(header=row.entry.header.replace(b'"n":', b'"m":'))
    return row.entry


def edit_header_and_leaf(log: Log, chance: random.Random) -> StoredEntry | None:
    place = inner(log, chance)
    if place is None:
        return None
    log[place].rewrite(facts={"n": 0})
    return log[place + 1].entry


def backdate(log: Log, chance: random.Random) -> StoredEntry | None:
    place = inner(log, chance)
    if place is None:
        return None
    log[place].payloads.clear()
    log[place].change(recorded_at=BEGAN)
    log[place].rewrite(recorded_at="2026-01-01T00:00:00.000000Z")
    return log[place + 1].entry


def edit_prev(log: Log, chance: random.Random) -> StoredEntry | None:
    row = chance.choice(log)
    row.rewrite(prev="ab" * 32)
    return row.entry


def delete(log: Log, chance: random.Random) -> StoredEntry | None:
    place = inner(log, chance)
    if place is None or log[place].entry.kind == "intent":
        return None
    del log[place]
    return log[place].entry


def duplicate(log: Log, chance: random.Random) -> StoredEntry | None:
    row = chance.choice(log)
    log.insert(log.index(row), Row(row.entry, row.payloads))
    return row.entry


def insert(log: Log, chance: random.Random) -> StoredEntry | None:
    place = inner(log, chance)
    if place is None:
        return None
    before = log[place].entry
    said = Fields(
        "change", "thing.done", Ref("a", "b"), Ref("a", "b"), BEGAN, entry_id="ent_forged"
    )
    forged = link(
        said, stream=before.stream, writer=before.writer, seq=before.seq + 1,
        prev_hash=before.leaf_hash,
    )  # fmt: skip
    replaced = log[place + 1].entry
    log.insert(place + 1, Row(StoredEntry(
        "ent_forged", forged.stream, forged.writer, forged.seq, forged.prev_hash, forged.header,
        forged.leaf_hash, "change", "thing.done", "a:b", "a:b", "", None, BEGAN,
    ), []))  # fmt: skip
    return replaced  # it claims the same place as the forged one, which stands before it


def reorder(log: Log, chance: random.Random) -> StoredEntry | None:
    place = inner(log, chance)
    if place is None:
        return None
    one, two = log[place], log[place + 1]
    seqs = one.entry.seq, two.entry.seq
    one.change(seq=seqs[1])
    two.change(seq=seqs[0])
    return two.entry


def transplant(log: Log, chance: random.Random) -> StoredEntry | None:
    row = chance.choice(log)
    row.change(stream="run_0a")
    return row.entry


def swap_payloads(log: Log, chance: random.Random) -> StoredEntry | None:
    rows = [row for row in log if row.payloads]
    if len(rows) < 2:
        return None
    first, second = sorted(chance.sample(rows, 2), key=lambda row: row.entry[1:4])
    digests = first.payloads[0].ciphertext_sha256, second.payloads[0].ciphertext_sha256
    for row, digest in ((first, digests[1]), (second, digests[0])):
        row.payloads[0] = row.payloads[0]._replace(ciphertext_sha256=digest)
    return first.entry


def edit_payload(log: Log, chance: random.Random) -> StoredEntry | None:
    rows = [row for row in log if row.payloads]
    if not rows:
        return None
    row = chance.choice(rows)
    change = chance.choice([
        {"ciphertext_sha256": "0" * 64}, {"dek_id": "dek_2"}, {"recorded_at": BEGAN},
        {"has_key": False},
    ])  # fmt: skip
    row.payloads[0] = row.payloads[0]._replace(**change)  # type: ignore[arg-type]
    return row.entry


def add_payload(log: Log, chance: random.Random) -> StoredEntry | None:
    rows = [row for row in log if not row.payloads]
    if not rows:
        return None
    row = chance.choice(rows)
    row.payloads.append(
        StoredPayload(row.entry.entry_id, row.entry.recorded_at, "dek_1", "0" * 64, has_key=True)
    )
    return row.entry


def answer_nothing(log: Log, chance: random.Random) -> StoredEntry | None:
    rows = [row for row in log if row.entry.kind == "result"]
    if not rows:
        return None
    row = chance.choice(rows)
    row.change(intent_id="ent_none")
    row.rewrite(intent="ent_none")
    return row.entry


def edit_column(log: Log, chance: random.Random) -> StoredEntry | None:
    row = chance.choice(log)
    name, value = chance.choice([
        ("entry_id", "ent_x"), ("kind", "effect" if row.entry.kind != "effect" else "review"),
        ("verb", "x"), ("actor", "x"), ("subject", "x"), ("agent_id", "x"), ("intent_id", "x"),
        ("recorded_at", BEGAN), ("prev_hash", bytes(32)), ("leaf_hash", bytes(32)),
    ])  # fmt: skip
    if getattr(row.entry, name) == value:
        return None
    row.change(**{name: value})
    return row.entry


MUTATIONS: list[Mutation] = [
    edit_header, edit_header_and_leaf, backdate, edit_prev, delete, duplicate, insert, reorder,
    swap_payloads, edit_payload, add_payload, answer_nothing, edit_column,
]  # fmt: skip


@pytest.mark.parametrize("mutate", MUTATIONS, ids=lambda mutate: mutate.__name__)
def test_every_change_is_found_at_its_place(mutate: Mutation) -> None:
    tried = 0
    for seed in SEEDS:
        chance = dice(seed)
        log = make_log(chance)
        expected = mutate(log, chance)
        if expected is None:
            continue
        tried += 1
        verdict = check(log)
        assert verdict.first is not None, (seed, expected)
        found = verdict.first
        place = (found.stream, found.writer, found.seq, found.entry_id)
        assert place == (*expected[1:4], expected.entry_id), (seed, found)
    assert tried > len(SEEDS) / 3


def test_an_entry_moved_to_another_stream_is_found() -> None:
    for seed in SEEDS:
        chance = dice(seed)
        log = make_log(chance)
        transplant(log, chance)
        assert not check(log).is_valid


def test_a_finding_says_where_it_is() -> None:
    found = Finding("run_1", "gw_1", 7, "ent_1", "it is odd")
    assert str(found) == "entry ent_1 in stream run_1, writer gw_1, seq 7: it is odd"
    assert str(Finding("s", "w", 1, "", "gone")).startswith("entry (missing) in stream s")
