"""A superuser with every guard off changes one thing: both verifiers name it, at its index.

The log is made by the real writers, sequenced by the real sequencer and cosigned. What is
kept outside the database is what an auditor has: the log's public key, the witness's, and
one note. Each mutation is followed by a check of the database and of an export made of it.
"""

from __future__ import annotations

import json
import os
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.db import connection, transaction

from kernel import clock
from kernel.canonical import canonical
from kernel.refs import Ref
from ledger.auditing.audit import Audit, audit
from ledger.auditing.trust import Trust
from ledger.entries import leaf_hash
from ledger.models import Artifact, Checkpoint, DataKey, Entry, Epoch, Leaf, Tile
from ledger.record import record
from ledger.standalone.unsprawl_verify import Report
from ledger.transparency import checkpoints, notes
from ledger.transparency.merkle import Frontier
from ledger.transparency.notes import COSIGNATURE_V1, SignedNote, VerifierKey
from ledger.transparency.tiles import WIDTH, subtree_root
from ledger.verbs import Verb
from tests.ledger.sequenced import LOG_KEY
from tests.ledger.standalone.exported import (
    WITNESS_KEY,
    WITNESS_NAME,
    Exporter,
    grow,
    note_of,
    public,
)
from tests.ledger.test_verification import call

pytestmark = pytest.mark.django_db
ALICE = Ref("person", "per_alice")
SEEDS = int(os.environ.get("UNSPRAWL_SOAK_TAMPER_SEEDS", "2"))
CALLS = int(os.environ.get("UNSPRAWL_SOAK_TAMPER_CALLS", "130"))
FOREIGN = Ed25519PrivateKey.from_private_bytes(bytes(range(64, 96)))
TRUSTED = Trust(
    (LOG_KEY.public,), (VerifierKey(WITNESS_NAME, COSIGNATURE_V1, public(WITNESS_KEY)),)
)


@dataclass
class Expected:
    """What must be said. An index of None: no entry is wrong, something else is."""

    index: int | None = None
    live: set[str] | None = None  # words that are right; invalid unless given
    file: set[str] | None = None  # the same for the export; None in it: it cannot tell
    until: int | None = None  # the index lies somewhere below this
    in_file: int | None = -1  # another first index in the export


@dataclass
class Log:
    """The log, and what a tamperer needs to change it."""

    chance: random.Random

    def sql(self, statement: str, parameters: Any = None) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL session_replication_role = replica")
            cursor.execute(statement, parameters)
            cursor.execute("SET LOCAL session_replication_role = origin")

    @property
    def size(self) -> int:
        return Leaf.objects.count()

    def entry(self, index: int) -> Entry:
        return Entry.objects.get(id=Leaf.objects.get(index=index).entry)

    def inner(self, **wanted: Any) -> tuple[int, Entry]:
        """Choose an entry that has two after it in its chain; its index and its row."""
        while True:
            index = self.chance.randrange(10, self.size - 60)
            row = self.entry(index)
            follows = Entry.objects.filter(stream=row.stream, writer=row.writer)
            fits = Entry.objects.filter(pk=row.pk, **wanted).exists()
            if fits and row.seq > 1 and follows.filter(seq__gte=row.seq + 2).exists():
                return index, row

    def rewrite(self, row: Entry, **change: Any) -> bytes:
        """Put something else into a header, and make its columns and its leaf hash fit."""
        header = canonical(json.loads(bytes(row.header)) | change)
        self.sql(
            "UPDATE ledger_entry SET header = %s, leaf_hash = %s WHERE id = %s",
            [header, leaf_hash(header), row.id],
        )
        return header

    def releaf(self, index: int, header: bytes) -> None:
        self.sql(
            'UPDATE ledger_leaf SET leaf_hash = %s WHERE "index" = %s', [leaf_hash(header), index]
        )

    def regrow(self) -> None:
        """Make every tile and every root fit the leaves again."""
        row = [bytes(leaf.leaf_hash) for leaf in Leaf.objects.order_by("index")]
        leaves, level = row, 0
        while row:
            for number in range(len(row) // WIDTH):
                joined = b"".join(row[number * WIDTH : (number + 1) * WIDTH])
                self.sql(
                    'UPDATE ledger_tile SET hashes = %s WHERE level = %s AND "index" = %s',
                    [joined, level, number],
                )
            whole = len(row) // WIDTH * WIDTH
            row = [subtree_root(row[at : at + WIDTH]) for at in range(0, whole, WIDTH)]
            level += 1
        frontier = Frontier()
        roots = {}
        for leaf in leaves:
            frontier.append(leaf)
            roots[frontier.size] = frontier.root()
        for checkpoint in Checkpoint.objects.all():
            if checkpoint.size in roots:
                self.sql(
                    "UPDATE ledger_checkpoint SET root = %s WHERE size = %s",
                    [roots[checkpoint.size], checkpoint.size],
                )

    def resign(self, key: Ed25519PrivateKey) -> None:
        """Sign every checkpoint anew; a witness's line cannot be made, so it goes."""
        origin = Epoch.objects.get().origin
        for row in Checkpoint.objects.all():
            text = checkpoints.Checkpoint(origin, row.size, bytes(row.root)).text
            line = str(notes.sign(text, origin, key))
            self.sql(
                "UPDATE ledger_checkpointsignature SET line = %s"
                " WHERE size = %s AND NOT is_witness",
                [line, row.size],
            )

    def strip(self, above: int = 0) -> None:
        self.sql("DELETE FROM ledger_checkpointsignature WHERE is_witness AND size > %s", [above])

    def drop(self, *rows: Entry) -> None:
        ids = [row.entry_id for row in rows]
        self.sql("DELETE FROM ledger_payload WHERE entry_id = ANY(%s)", [ids])
        self.sql("DELETE FROM ledger_entry WHERE entry_id = ANY(%s)", [ids])

    def stretch(self, index: int) -> tuple[int, int]:
        """Between which checkpoints an index lies."""
        sizes = [0, *Checkpoint.objects.order_by("size").values_list("size", flat=True)]
        below = max(size for size in sizes if size <= index)
        return below, min(size for size in sizes if size > index)


Mutation = Callable[[Log], Expected]
MUTATIONS: dict[str, Mutation] = {}


def mutation(change: Mutation) -> Mutation:
    MUTATIONS[change.__name__] = change
    return change


# --- entries and payloads


@mutation
def edit_a_ciphertext(log: Log) -> Expected:
    index, row = log.inner(kind="intent")
    log.sql("UPDATE ledger_payload SET ciphertext = ciphertext || 'x' WHERE entry_id = %s",
            [row.entry_id])  # fmt: skip
    return Expected(index)


@mutation
def edit_a_header(log: Log) -> Expected:
    index, row = log.inner()
    changed = canonical(json.loads(bytes(row.header)) | {"facts": {"cost": 0}})
    log.sql("UPDATE ledger_entry SET header = %s WHERE id = %s", [changed, row.id])
    return Expected(index)


@mutation
def edit_a_header_and_its_hash(log: Log) -> Expected:
    index, row = log.inner()
    log.rewrite(row, facts={"cost": 0})
    return Expected(index)


@mutation
def edit_a_header_its_hash_and_its_leaf(log: Log) -> Expected:
    index, row = log.inner()
    log.releaf(index, log.rewrite(row, facts={"cost": 0}))
    return Expected(index)


@mutation
def edit_a_header_and_grow_the_whole_tree_again(log: Log) -> Expected:
    index, row = log.inner()
    log.releaf(index, log.rewrite(row, facts={"cost": 0}))
    log.regrow()
    return Expected(index)


@mutation
def edit_and_sign_everything_with_a_foreign_key(log: Log) -> Expected:
    index, row = log.inner()
    log.releaf(index, log.rewrite(row, facts={"cost": 0}))
    log.regrow()
    log.resign(FOREIGN)
    log.strip()
    return Expected(index)


@mutation
def edit_and_put_a_foreign_key_in_the_place_of_the_logs(log: Log) -> Expected:
    index, row = log.inner()
    log.releaf(index, log.rewrite(row, facts={"cost": 0}))
    log.regrow()
    log.sql("UPDATE ledger_epoch SET public_key = %s", [public(FOREIGN)])
    log.resign(FOREIGN)
    log.strip()
    return Expected(index)


@mutation
def rewrite_a_chain_and_sign_it_with_the_stolen_key(log: Log) -> Expected:
    """Every link, leaf, tile, root and signature is made to fit: only what lies outside tells."""
    _, row = log.inner()
    prev = None
    for later in Entry.objects.filter(
        stream=row.stream, writer=row.writer, seq__gte=row.seq
    ).order_by("seq"):
        change = {"facts": {"cost": 0}} if prev is None else {"prev": prev.hex()}
        header = log.rewrite(later, **change)
        if prev is not None:
            log.sql("UPDATE ledger_entry SET prev_hash = %s WHERE id = %s", [prev, later.id])
        prev = leaf_hash(header)
        log.releaf(Leaf.objects.get(entry=later.id).index, header)
    log.sql("UPDATE ledger_chainhead SET leaf_hash = %s WHERE stream = %s AND writer = %s",
            [prev, row.stream, row.writer])  # fmt: skip
    log.regrow()
    log.resign(LOG_KEY.private)
    log.strip()
    return Expected(None, {"diverged"}, {"diverged"})


@mutation
def delete_one_in_the_middle(log: Log) -> Expected:
    index, row = log.inner()
    log.drop(row)
    return Expected(index)


@mutation
def delete_the_tail_that_no_tree_holds_yet(log: Log) -> Expected:
    """Never sequenced: a chain of the application is missed by its head, and no proof by anyone."""
    call("run_0")
    call("run_0")
    rows = Entry.objects.exclude(id__in=Leaf.objects.values("entry")).order_by("-id")[:2]
    log.drop(*rows)
    return Expected(None, file={"valid", "incomplete"})


@mutation
def delete_the_tail_and_its_checkpoints(log: Log) -> Expected:
    """The database as it was at an older checkpoint: the note that was kept shows it."""
    sizes = list(Checkpoint.objects.order_by("size").values_list("size", flat=True))
    size = sizes[-3]
    rows = list(Entry.objects.filter(id__in=Leaf.objects.filter(index__gte=size).values("entry")))
    log.drop(*rows)
    for table, column in (("leaf", '"index" >='), ("checkpoint", "size >"),
                          ("checkpointsignature", "size >")):  # fmt: skip
        log.sql(f"DELETE FROM ledger_{table} WHERE {column} %s", [size])
    log.sql('DELETE FROM ledger_tile WHERE ("index" + 1) << (8 * level + 8) > %s', [size])
    log.sql(
        "UPDATE ledger_chainhead h SET (seq, leaf_hash) = (SELECT seq, leaf_hash FROM ledger_entry"
        " e WHERE e.stream = h.stream AND e.writer = h.writer ORDER BY seq DESC LIMIT 1)"
        " WHERE EXISTS (SELECT FROM ledger_entry e WHERE e.stream = h.stream)"
    )
    log.sql("DELETE FROM ledger_chainhead h WHERE NOT EXISTS"
            " (SELECT FROM ledger_entry e WHERE e.stream = h.stream)")  # fmt: skip
    return Expected(None, {"diverged"}, {"diverged"})


@mutation
def truncate_and_go_on(log: Log) -> Expected:
    """A fork: the tail is dropped, and the real sequencer goes on with other entries."""
    delete_the_tail_and_its_checkpoints(log)
    for number in range(60):
        call(f"run_{number % 9}")
    grow(limit=50)
    return Expected(None, {"diverged"}, {"diverged"})


@mutation
def swap_the_places_of_two(log: Log) -> Expected:
    index, row = log.inner()
    other = index + log.chance.randrange(1, 9)
    two = log.entry(other)
    log.sql('UPDATE ledger_leaf SET entry = -1 WHERE "index" = %s', [index])
    log.sql('UPDATE ledger_leaf SET entry = %s WHERE "index" = %s', [row.id, other])
    log.sql('UPDATE ledger_leaf SET entry = %s WHERE "index" = %s', [two.id, index])
    return Expected(index)


@mutation
def swap_two_payloads(log: Log) -> Expected:
    index, row = log.inner(kind="intent")
    other, two = log.inner(kind="intent")
    while other == index:
        other, two = log.inner(kind="intent")
    log.sql(
        "UPDATE ledger_payload p SET nonce = q.nonce, ciphertext = q.ciphertext FROM ledger_payload"
        " q WHERE p.entry_id = ANY(%(ids)s) AND q.entry_id = ANY(%(ids)s)"
        " AND p.entry_id <> q.entry_id",
        {"ids": [row.entry_id, two.entry_id]},
    )
    return Expected(min(index, other))


@mutation
def move_an_entry_to_another_run(log: Log) -> Expected:
    index, row = log.inner()
    header = canonical(json.loads(bytes(row.header)) | {"stream": "run_zz", "seq": 1})
    log.sql(
        "UPDATE ledger_entry SET stream = 'run_zz', seq = 1, header = %s, leaf_hash = %s"
        " WHERE id = %s",
        [header, leaf_hash(header), row.id],
    )
    return Expected(index)


def _insert(log: Log, row: Entry, **change: Any) -> int:
    """Put a further row beside a true one, before what the tree has reached."""
    header = canonical(json.loads(bytes(row.header)) | change)
    said = json.loads(header)
    log.sql(
        "INSERT INTO ledger_entry (xid, entry_id, stream, writer, seq, prev_hash, header,"
        " leaf_hash, kind, verb, actor, subject, agent_id, recorded_at) SELECT xid, %s, stream, %s,"
        " %s, prev_hash, %s, %s, 'change', verb, actor, subject, agent_id, recorded_at"
        " FROM ledger_entry WHERE id = %s",
        [said["id"], said["writer"], said["seq"], header, leaf_hash(header), row.id],
    )
    return int(Entry.objects.get(entry_id=said["id"]).id)


@mutation
def duplicate_an_entry(log: Log) -> Expected:
    _, row = log.inner(kind="change")
    forged = _insert(log, row, id="ent_again", writer="gw_again", seq=1, prev="0" * 64)
    # Older than the newest, by id as well: where no sequencer would look for it.
    low = Entry.objects.order_by("id")[0].id
    log.sql("UPDATE ledger_entry SET id = %s, xid = '1' WHERE id = %s", [low - 1, forged])
    return Expected(None, file={"valid"})


@mutation
def insert_into_the_tree(log: Log) -> Expected:
    """A forged entry with a leaf of its own; what came after it moves up by one."""
    index, row = log.inner(kind="change")
    forged = _insert(log, row, id="ent_forged", writer="gw_forged", seq=1, prev="0" * 64)
    size = log.size
    log.sql('UPDATE ledger_leaf SET "index" = "index" + 1000000 WHERE "index" >= %s', [index])
    log.sql('UPDATE ledger_leaf SET "index" = "index" - 999999 WHERE "index" > %s', [size])
    log.sql('INSERT INTO ledger_leaf (epoch, "index", entry, leaf_hash) VALUES (1, %s, %s, %s)',
            [index, forged, bytes(Entry.objects.get(id=forged).leaf_hash)])  # fmt: skip
    return Expected(index, in_file=None)


def _redate(log: Log, by: timedelta) -> Expected:
    """The log itself recorded a wrong time, and everything fits: only the witness's clock tells."""
    with clock.held_at(clock.now() + by), transaction.atomic():
        record(Verb.AGENT_CHANGED, Ref("agent", "agt_two"), actor=ALICE, agent_id="agt_two")
    index = log.size
    grow()
    return Expected(index)


@mutation
def backdate(log: Log) -> Expected:
    return _redate(log, timedelta(days=-3))


@mutation
def forward_date(log: Log) -> Expected:
    return _redate(log, timedelta(days=3))


# --- the tree


@mutation
def drop_a_leaf_and_keep_its_tile(log: Log) -> Expected:
    index, _ = log.inner()
    log.sql('DELETE FROM ledger_leaf WHERE "index" = %s', [index])
    return Expected(index, in_file=None)


@mutation
def edit_a_leaf(log: Log) -> Expected:
    index, _ = log.inner()
    log.sql('UPDATE ledger_leaf SET leaf_hash = %s WHERE "index" = %s', [bytes(32), index])
    # A file holds whole tiles, and no leaf beside them.
    return Expected(index, file={"valid"} if index < log.size // WIDTH * WIDTH else None)


@mutation
def edit_a_whole_tile(log: Log) -> Expected:
    index = log.chance.randrange(WIDTH)
    tile = Tile.objects.get(level=0, index=0)
    hashes = bytearray(bytes(tile.hashes))
    hashes[index * 32] ^= 1
    log.sql('UPDATE ledger_tile SET hashes = %s WHERE level = 0 AND "index" = 0', [bytes(hashes)])
    return Expected(index)


@mutation
def edit_a_partial_tile(log: Log) -> Expected:
    """Partial tiles are made of leaves: an edited one is an edited leaf at the edge."""
    index = log.size - 1 - log.chance.randrange(5)
    log.sql('UPDATE ledger_leaf SET leaf_hash = %s WHERE "index" = %s', [bytes(32), index])
    return Expected(index)


@mutation
def delete_a_tile(log: Log) -> Expected:
    log.sql('DELETE FROM ledger_tile WHERE level = 0 AND "index" = 0')
    return Expected(0, until=WIDTH, in_file=None)


# --- checkpoints, epochs, keys


@mutation
def change_a_root(log: Log) -> Expected:
    size = Checkpoint.objects.order_by("-size")[0].size
    log.sql("UPDATE ledger_checkpoint SET root = %s WHERE size = %s", [bytes(32), size])
    return Expected(log.stretch(size - 1)[0], until=size, in_file=0)


@mutation
def change_a_checkpoints_size(log: Log) -> Expected:
    size = Checkpoint.objects.order_by("-size")[0].size
    for table in ("checkpoint", "checkpointsignature"):
        log.sql(f"UPDATE ledger_{table} SET size = size - 1 WHERE size = %s", [size])
    return Expected(log.stretch(size - 2)[0], until=size, in_file=0)


@mutation
def change_the_origin(log: Log) -> Expected:
    log.sql("UPDATE ledger_epoch SET origin = 'elsewhere.example/ledger/log_x/1'")
    return Expected(None, {"invalid", "diverged", "valid"}, {"diverged"})


@mutation
def forge_a_further_epoch(log: Log) -> Expected:
    """A change of the key that no entry records, under a key that nobody gave the auditor."""
    log.sql(
        "INSERT INTO ledger_epoch (number, origin, public_key, system_identifier, first_entry,"
        " opened_at, reason) SELECT 2, replace(origin, '/1', '/2'), %s, system_identifier, 1,"
        " now(), 'a forged change of the key' FROM ledger_epoch",
        [public(FOREIGN)],
    )
    return Expected(None, file={"incomplete"})


@mutation
def strip_the_witness(log: Log) -> Expected:
    log.strip()
    return Expected(None, {"valid", "incomplete"}, {"incomplete"})


@mutation
def forge_a_witness(log: Log) -> Expected:
    origin = Epoch.objects.get().origin
    row = Checkpoint.objects.order_by("-size")[0]
    text = checkpoints.Checkpoint(origin, row.size, bytes(row.root)).text
    forged = notes.cosign(text, WITNESS_NAME, FOREIGN, at=1)
    raw = forged.signature
    line = str(notes.SignatureLine(WITNESS_NAME, TRUSTED.witnesses[0].key_hash, raw))
    log.sql("UPDATE ledger_checkpointsignature SET line = %s WHERE is_witness AND size = %s",
            [line, row.size])  # fmt: skip
    return Expected(log.stretch(row.size - 1)[0], until=row.size, in_file=0)


# --- data keys and what entries name


@mutation
def swap_two_wrapped_keys(log: Log) -> Expected:
    """No entry commits to a wrapped key, which changes with its ring: it is opened to be seen."""
    one, two = DataKey.objects.filter(state="active").order_by("dek_id")[:2]
    for row, other in ((one, two), (two, one)):
        log.sql("UPDATE ledger_datakey SET wrapped_key = %s WHERE dek_id = %s",
                [bytes(other.wrapped_key or b""), row.dek_id])  # fmt: skip
    first = min(_first_naming(one.dek_id), _first_naming(two.dek_id))
    return Expected(first, file={"valid"})


def _first_naming(text: str) -> int:
    for leaf in Leaf.objects.order_by("index"):
        if text in bytes(Entry.objects.get(id=leaf.entry).header).decode():
            return int(leaf.index)
    raise LookupError(text)


def _shredded() -> DataKey:
    return DataKey.objects.get(state="shredded")


@mutation
def resurrect_a_destroyed_key(log: Log) -> Expected:
    row = _shredded()
    other = DataKey.objects.filter(state="active")[0]
    log.sql(
        "UPDATE ledger_datakey SET state = 'active', shredded_at = NULL, shredded_by = NULL,"
        " wrapped_key = %s WHERE dek_id = %s",
        [bytes(other.wrapped_key or b""), row.dek_id],
    )
    tombstone = Entry.objects.get(verb="datakey.shredded")
    # What it is sealed to does not open either, which shows at the first entry that names it.
    in_file = Leaf.objects.get(entry=tombstone.id).index
    return Expected(_first_naming(row.dek_id), in_file=in_file)


@mutation
def delete_the_record_of_a_destruction(log: Log) -> Expected:
    row = Entry.objects.get(verb="datakey.shredded")
    index = Leaf.objects.get(entry=row.id).index
    named = _first_naming(_shredded().dek_id)
    log.drop(row)
    return Expected(min(index, named))


@mutation
def destroy_a_key_without_a_record(log: Log) -> Expected:
    row = DataKey.objects.filter(state="active").order_by("dek_id")[0]
    log.sql("UPDATE ledger_datakey SET state = 'shredded', shredded_at = now(), wrapped_key = NULL,"
            " shredded_by = 'ent_none' WHERE dek_id = %s", [row.dek_id])  # fmt: skip
    return Expected(_first_naming(row.dek_id))


@mutation
def delete_a_data_key(log: Log) -> Expected:
    row = DataKey.objects.filter(state="active").order_by("dek_id")[0]
    log.sql("DELETE FROM ledger_datakey WHERE dek_id = %s", [row.dek_id])
    return Expected(_first_naming(row.dek_id))


@mutation
def change_the_bytes_of_a_policy_bundle(log: Log) -> Expected:
    row = Artifact.objects.get()
    log.sql("ALTER TABLE ledger_artifact DROP CONSTRAINT ledger_artifact_named_by_its_bytes")
    log.sql("UPDATE ledger_artifact SET body = body || 'x'")
    return Expected(_first_naming(row.digest))


# --- the checks


@pytest.fixture
def exporter(tmp_path: Path) -> Exporter:
    return Exporter(tmp_path / "exports")


def make_log(chance: random.Random) -> None:
    """Calls of several agents in several runs, changes, a bundle, a destroyed key."""
    import hashlib

    body = b"package unsprawl\n" + chance.randbytes(8)
    digest = f"sha256:{hashlib.sha256(body).hexdigest()}"
    Artifact.objects.create(
        digest=digest, kind="policy_bundle", body=body, kept_at=clock.now()
    )  # fmt: skip
    for number in range(CALLS):
        call(f"run_{number % 9}", agent=f"agt_{number % 3}", answer=chance.random() < 0.95)
        if number % 4 == 0:
            with transaction.atomic():
                record(
                    Verb.AGENT_CHANGED, Ref("agent", "agt_one"), actor=ALICE, agent_id="agt_one",
                    facts={"n": number, **({"bundle": digest} if number % 40 == 0 else {})},
                )  # fmt: skip
        if number % 25 == 24:
            grow(limit=chance.choice([20, 50, 1000]))
    _shred_one()
    grow(limit=40)
    for number in range(12):
        call(f"run_{number % 9}", agent="agt_0")
    grow(limit=7)


def _shred_one() -> None:
    """Destroy one agent's key as retention writes it down: a tombstone, and the row set to it."""
    dek = DataKey.objects.filter(scope="agt_2")[0].dek_id
    with transaction.atomic():
        said = record(
            Verb.DATAKEY_SHREDDED, Ref("retention", "internal"), actor=ALICE,
            facts={"deks": [dek], "keys": 1, "why": "age", "shred": "shr_1"},
        )  # fmt: skip
    Log(random.Random(0)).sql(  # noqa: S311
        "UPDATE ledger_datakey SET state = 'shredded', wrapped_key = NULL, shredded_at = now(),"
        " shredded_by = %s WHERE dek_id = %s",
        [said.entry_id, dek],
    )


@dataclass
class Outside:
    """What an auditor keeps: a note."""

    note: bytes

    def of_database(self) -> Audit:
        return audit(Trust(TRUSTED.keys, TRUSTED.witnesses, (SignedNote.parse(self.note),)))

    def of_export(self, exporter: Exporter) -> Report:
        return exporter.check(exporter.lines(), since=(self.note,))


@pytest.fixture
def outside(request: pytest.FixtureRequest) -> Outside:
    chance = random.Random(getattr(request, "param", 0))  # noqa: S311
    make_log(chance)
    return Outside(note_of())


@pytest.mark.parametrize("outside", range(SEEDS + 1), indirect=True)
def test_a_clean_log_raises_no_alarm(outside: Outside, exporter: Exporter) -> None:
    found = outside.of_database()
    assert (found.word, found.first) == ("valid", None)
    assert found.trees[0].proven == found.trees[0].size == found.trees[0].witnessed
    report = outside.of_export(exporter)
    assert report.document()["verdict"] == "valid", report.document()


@pytest.mark.parametrize("outside", range(SEEDS), indirect=True)
def test_every_mutation_is_found_at_its_place(outside: Outside, exporter: Exporter) -> None:
    missed = []
    for name, change in MUTATIONS.items():
        for again in range(2):
            point = transaction.savepoint()
            chance = random.Random(f"{name}{again}")  # noqa: S311
            expected = change(Log(chance))
            missed += [f"{name} {again}, live: {wrong}" for wrong in live(outside, expected)]
            missed += [
                f"{name} {again}, file: {wrong}" for wrong in in_file(outside, exporter, expected)
            ]
            transaction.savepoint_rollback(point)
    assert not missed, "\n".join(missed)


def test_there_are_as_many_classes_as_were_promised() -> None:
    assert len(MUTATIONS) >= 30


def live(outside: Outside, expected: Expected) -> Iterator[str]:
    found = outside.of_database()
    if found.word not in (expected.live or {"invalid", "diverged"}):
        yield f"{found.word}, {found.first}"
    elif expected.index is not None:
        yield from _place(expected, expected.index, found.first)


def in_file(outside: Outside, exporter: Exporter, expected: Expected) -> Iterator[str]:
    try:
        report = outside.of_export(exporter)
    except Exception as error:
        if type(error).__name__ != "TreeIncomplete":
            raise
        return
    word = report.document()["verdict"]
    if word not in (expected.file or {"invalid", "diverged"}):
        yield f"{word}, {report.document()['first']}, {report.incomplete}"
        return
    index = expected.index if expected.in_file == -1 else expected.in_file
    if index is not None and word == "invalid":
        first = report.findings.ordered()[0]
        at = first.place.index
        if at != index and not (expected.until and at is not None and at <= expected.until):
            yield f"at {at}, not {index}: {first}"


def _place(expected: Expected, index: int, first: Any) -> Iterator[str]:
    if first is None or first.index is None:
        yield f"not at {index}: {first}"
    elif expected.until is None and (first.index != index or first.until is not None):
        yield f"at {first.index}, not {index}: {first}"
    elif expected.until is not None and not index <= first.index < expected.until:
        yield f"at {first.index}, not from {index} to {expected.until}: {first}"
