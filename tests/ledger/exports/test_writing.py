from __future__ import annotations

import base64
import itertools
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import connection, transaction

from kernel import clock
from kernel.refs import Ref
from ledger.artifacts import digest_of
from ledger.entries import Fields
from ledger.exports import planning
from ledger.exports.planning import make_plan, newest, period_after, period_between
from ledger.exports.scope import OneAgent, OneRun, Period, Plan, Range, Scope
from ledger.exports.signing import ExportSigner, ensure_export_key
from ledger.exports.writing import export
from ledger.models import Artifact, DataKey, Entry, Payload
from ledger.record import record
from ledger.verbs import Verb
from tests.ledger.conftest import Tamperer
from tests.ledger.exports.reader import Read, read
from tests.ledger.test_verification import call, result_of, write_chain
from tests.ledger.trees import Tree

pytestmark = pytest.mark.django_db
URL = "https://agents.example"


@pytest.fixture
def signer(tmp_path: Path) -> ExportSigner:
    ensure_export_key(tmp_path, URL)
    return ExportSigner(tmp_path, URL)


def database() -> Any:
    connection.ensure_connection()
    return connection.connection


def made(scope: Scope, signer: ExportSigner, *, payloads: bool = True, at: Any = None) -> bytes:
    plan = make_plan(database(), scope, payloads=payloads, at=at)
    return b"".join(export(database(), plan, signer))


def exported(scope: Scope, signer: ExportSigner, *, payloads: bool = True) -> Read:
    return read(made(scope, signer, payloads=payloads), signer.vkey)


def test_a_run_is_exported_with_what_proves_it(signer: ExportSigner) -> None:
    for _ in range(3):
        call("run_a")
        call("run_b")
    Tree().open().grow()
    found = exported(OneRun("run_a"), signer)
    assert found.first["scope"] == {"run": "run_a"}
    assert [header["seq"] for header in found.headers] == [1, 2, 3, 4, 5, 6]
    assert found.proven == 6
    assert found.end["chains"] == 1
    assert [key["state"] for key in found.keys] == ["active"]
    assert len(found.checkpoints) == 1
    assert "witness.example" in found.checkpoints[0]["note"]


def test_what_is_not_sequenced_yet_is_there_without_a_place(signer: ExportSigner) -> None:
    call("run_a")
    Tree().open().grow()
    call("run_a")
    found = exported(OneRun("run_a"), signer)
    assert [entry["index"] for entry in found.entries] == [0, 1, None, None]
    assert [entry["epoch"] for entry in found.entries] == [1, 1, None, None]


def test_before_anything_is_sequenced_there_are_entries_and_no_tree(signer: ExportSigner) -> None:
    call("run_a")
    found = exported(OneRun("run_a"), signer)
    assert (found.epochs, found.tiles, found.checkpoints) == ([], [], [])
    assert [entry["index"] for entry in found.entries] == [None, None]


def test_the_witnessed_and_the_signed_checkpoint_are_one_tree(
    signer: ExportSigner, monkeypatch: pytest.MonkeyPatch
) -> None:
    tree = Tree().open()
    call("run_a")
    tree.grow()
    for _ in range(4):
        call("run_a")
    tree.grow(witnessed=False)
    call("run_a")
    tree.grow(signed=False, witnessed=False)
    # The witness follows: the file speaks of the log as it was cosigned last.
    found = exported(OneRun("run_a"), signer)
    assert [int(each["note"].splitlines()[1]) for each in found.checkpoints] == [2]

    monkeypatch.setattr(planning, "WITNESS_FOLLOWS_SECONDS", -60)  # it does not
    found = exported(OneRun("run_a"), signer)
    assert [int(each["note"].splitlines()[1]) for each in found.checkpoints] == [2, 10]
    assert [entry["index"] for entry in found.entries][-2:] == [None, None]


@pytest.mark.parametrize("before", [0, 250, 255, 256, 300])
def test_the_tiles_lead_every_entry_to_the_root(signer: ExportSigner, before: int) -> None:
    tree = Tree().open()
    for _ in range(before):
        with transaction.atomic():
            record(Verb.TEAM_ADDED, Ref("team", "t"), actor=Ref("system", "x"))
    call("run_a")
    tree.grow(witnessed=False)
    for _ in range(270):
        with transaction.atomic():
            record(Verb.TEAM_ADDED, Ref("team", "t"), actor=Ref("system", "x"))
    tree.grow()
    found = exported(OneRun("run_a"), signer, payloads=False)
    assert found.proven == 2
    assert {tile["number"] for tile in found.tiles if tile["level"] == 0} == {
        before // 256,
        (before + 1) // 256,
        (before + 2 + 270) // 256,
    } - ({2} if before + 272 == 512 else set())


def test_a_period_holds_its_ranges_and_both_edges(signer: ExportSigner) -> None:
    tree = Tree().open()
    for _ in range(3):
        call("run_a")
    first = tree.grow(witnessed=False)
    for _ in range(140):
        call("run_b")
    second = tree.grow(witnessed=False)
    call("run_c")
    tree.grow()
    found = exported(Period((Range(1, first, second),)), signer, payloads=False)
    assert [entry["index"] for entry in found.entries] == list(range(first, second))
    assert [int(each["note"].splitlines()[1]) for each in found.checkpoints] == [
        first,
        second,
        second + 2,
    ]
    assert found.end["chains"] is None
    assert found.proven == second - first


def test_a_period_is_cut_at_signed_checkpoints(signer: ExportSigner) -> None:
    tree, start = Tree().open(), clock.now()
    sizes = []
    for minute in range(5):
        call("run_a")
        with clock.held_at(start + timedelta(minutes=minute)):
            sizes.append(tree.grow(signed=minute != 2, witnessed=False))
    at = [start + timedelta(minutes=minute) for minute in range(6)]
    assert period_between(database(), at[1], at[4]).ranges == (Range(1, sizes[0], sizes[3]),)
    # Nothing was signed at minute 2: what it took in comes with the checkpoint after it.
    assert period_between(database(), at[1], at[3]).ranges == (Range(1, sizes[0], sizes[1]),)
    assert period_between(database(), None, None).ranges == (Range(1, 0, sizes[4]),)
    assert period_between(database(), at[5], None).is_empty
    ended = period_after(database(), {1: sizes[1]}, at[4])
    assert ended.ranges == (Range(1, sizes[1], sizes[3]),)
    assert period_after(database(), {1: sizes[4]}).is_empty


def test_periods_that_follow_each_other_leave_nothing_out(signer: ExportSigner) -> None:
    tree, reached, seen = Tree().open(), dict[int, int](), list[str]()
    for count in (1, 3, 2):
        for _ in range(count):
            call("run_a")
        tree.grow()
        period = period_after(database(), reached)
        found = exported(period, signer)
        seen += [header["id"] for header in found.headers]
        reached = {each.epoch: each.end for each in period.ranges}
    assert seen == list(Entry.objects.order_by("id").values_list("entry_id", flat=True))


def test_epochs_are_exported_one_after_the_other(signer: ExportSigner) -> None:
    call("run_a")
    Tree(1).open().grow()
    call("run_a")
    Tree(2).open(reason="Restored from a backup.").grow()
    found = exported(OneRun("run_a"), signer)
    assert [epoch["reason"] for epoch in found.epochs] == ["", "Restored from a backup."]
    assert [(entry["epoch"], entry["index"]) for entry in found.entries] == [
        (1, 0),
        (1, 1),
        (2, 0),
        (2, 1),
    ]
    whole = exported(period_between(database(), None, None), signer)
    assert whole.proven == 4


def test_an_agent_is_exported_with_its_runs_and_nobody_elses(signer: ExportSigner) -> None:
    call("run_a", "agt_one")
    call("run_b", "agt_two")
    call("run_c", "agt_one")
    with transaction.atomic():
        record(Verb.AGENT_CHANGED, Ref("agent", "agt_one"), actor=Ref("system", "x"),
               agent_id="agt_one")  # fmt: skip
        record(Verb.TEAM_ADDED, Ref("team", "t"), actor=Ref("system", "x"))
    Tree().open().grow()
    found = exported(OneAgent("agt_one"), signer)
    places = [(header["stream"], header["writer"], header["seq"]) for header in found.headers]
    assert places == sorted(places)
    assert {place[0] for place in places} == {"agent:agt_one", "run_a", "run_c"}
    assert found.end["chains"] == 3


def test_texts_are_ordered_by_their_bytes(signer: ExportSigner) -> None:
    call("run_a", answer=False)
    intent = Entry.objects.get(stream="run_a")
    for writer in ("gw_Z", "gw_a", "gw-1", "Gw", "gé"):
        write_chain("run_a", writer, [result_of(intent)] if writer == "Gw" else [other(intent)])
    found = exported(OneRun("run_a"), signer)
    writers = [header["writer"] for header in found.headers]
    assert writers == sorted(writers, key=str.encode)
    assert len(writers) == 6


def other(intent: Entry) -> Fields:
    return Fields(
        kind="change", verb="agent.changed", actor=Ref("system", "x"), subject=Ref("agent", "a"),
        recorded_at=intent.recorded_at, agent_id="agt_one",
    )  # fmt: skip


def test_no_plaintext_is_in_an_export_and_payloads_only_where_asked(signer: ExportSigner) -> None:
    call("run_a")
    raw = made(OneRun("run_a"), signer)
    assert b"a question" not in raw
    assert base64.b64encode(b"a question")[:12] not in raw
    found = read(raw, signer.vkey)
    payload = Payload.objects.get()
    assert base64.b64decode(found.entries[0]["payload"]["ciphertext"]) == bytes(payload.ciphertext)
    assert exported(OneRun("run_a"), signer, payloads=False).end["payloads"] == 0


def test_the_same_scope_at_the_same_checkpoint_gives_the_same_bytes(signer: ExportSigner) -> None:
    call("run_a")
    Tree().open().grow()
    moment = clock.now()
    assert made(OneRun("run_a"), signer, at=moment) == made(OneRun("run_a"), signer, at=moment)
    first, second = (made(OneRun("run_a"), signer).splitlines() for _ in range(2))
    differing = [a for a, b in itertools.zip_longest(first, second) if a != b]
    assert len(differing) == 3  # the first line, and the hash and signature over it
    assert first[0] == differing[0]


def test_a_destroyed_key_is_said_to_be(signer: ExportSigner) -> None:
    call("run_a")
    DataKey.objects.update(state="shredded", wrapped_key=None, shredded_at=clock.now())
    assert [key["state"] for key in exported(OneRun("run_a"), signer).keys] == ["shredded"]


def test_what_entries_name_by_digest_is_there_where_it_is_kept(signer: ExportSigner) -> None:
    bundle = "sha256:" + "ab" * 32
    with transaction.atomic():
        for value in (bundle, bundle, "none", "sha256:zz"):
            record(Verb.CALL_DENIED, Ref("agent", "a"), actor=Ref("agent", "a"), stream="run_a",
                   kind="decision", facts={"bundle": value})  # fmt: skip
    body = b"what policy was asked"
    digest = digest_of(body)
    Artifact.objects.create(digest=digest, kind="decision_input", body=body, kept_at=clock.now())
    with transaction.atomic():
        record(Verb.CALL_DENIED, Ref("agent", "a"), actor=Ref("agent", "a"), stream="run_a",
               kind="decision", facts={"bundle": bundle, "input": digest})  # fmt: skip
    found = exported(OneRun("run_a"), signer)
    assert found.artifacts == [
        {"kind": "decision_input", "digest": digest, "bytes": base64.b64encode(body).decode()},
        {"kind": "policy_bundle", "digest": bundle},
    ]


def test_a_header_that_is_none_is_exported_as_it_lies(
    signer: ExportSigner, tamperer: Tamperer
) -> None:
    call("run_a")
    tamperer.execute("UPDATE ledger_entry SET header = %s WHERE seq = 1", [b"no \x00 json"])
    raw = made(OneRun("run_a"), signer)
    assert raw.endswith(b"\n")
    assert raw.count(b'{"entry"') == 2


def test_a_plan_is_read_back_as_it_was_written() -> None:
    moment = clock.now()
    for scope in (OneRun("run_a"), OneAgent("agt_a"), Period((Range(1, 2, 3),), moment, None)):
        plan = Plan(scope, True, moment, ((1, (2, 3)),))
        assert Plan.read(plan.document()) == plan


def test_batches_do_not_show(signer: ExportSigner, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(6):
        call("run_a")
    Tree().open().grow()
    moment = clock.now()
    scopes = (OneRun("run_a"), OneAgent("agt_one"), period_between(database(), None, None))
    whole = [made(scope, signer, at=moment) for scope in scopes]
    monkeypatch.setattr("ledger.exports.reading.BATCH", 5)
    monkeypatch.setattr("ledger.exports.reading.HELD_BYTES", 100)
    assert [made(scope, signer, at=moment) for scope in scopes] == whole


def test_the_newest_checkpoints_are_found_by_epoch() -> None:
    tree = Tree().open()
    assert newest(database()) == [(1, None, None)]
    call("run_a")
    tree.grow()
    assert newest(database()) == [(1, 2, 2)]
