from __future__ import annotations

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.db import transaction

from kernel.refs import Ref
from ledger.checking import Verdict
from ledger.entries import leaf_hash
from ledger.errors import LedgerUnreadable
from ledger.export import export_stream
from ledger.export_check import FORMAT, verify_export
from ledger.models import Entry
from ledger.record import record
from ledger.verbs import Verb
from tests.ledger.conftest import Tamperer
from tests.ledger.test_verification import call, result_of, write_chain

pytestmark = pytest.mark.django_db
ALICE = Ref("person", "per_alice")
Lines = list[bytes]


@pytest.fixture
def lines() -> Lines:
    for _ in range(3):
        call("run_a")
    call("run_b")
    return list(export_stream("run_a"))


@pytest.fixture
def check(tmp_path: Path) -> Callable[[Lines], Verdict]:
    def write_and_verify(lines: Lines) -> Verdict:
        path = tmp_path / "run.jsonl"
        path.write_bytes(b"".join(lines))
        return verify_export(path)

    return write_and_verify


Check = Callable[[Lines], Verdict]


def edited(line: bytes, change: Callable[[dict[str, Any]], None]) -> bytes:
    document = json.loads(line)
    change(document)
    return json.dumps(document).encode() + b"\n"


def test_an_export_says_what_it_is_and_how_much_it_holds(lines: Lines, check: Check) -> None:
    first, last = json.loads(lines[0]), json.loads(lines[-1])
    assert (first["format"], first["stream"], first["payloads"]) == (FORMAT, "run_a", True)
    head = Entry.objects.get(stream="run_a", seq=6)
    assert last == {
        "end": {
            "entries": 6,
            "chains": {"app": {"seq": 6, "leaf_hash": bytes(head.leaf_hash).hex()}},
        }
    }
    assert base64.b64decode(json.loads(lines[6])["header"]) == bytes(head.header)
    assert check(lines) == Verdict(
        entries=6, chains=1, payloads=3, absent=0, open_intents=0, bad=0, findings=()
    )


def test_no_plaintext_is_exported(lines: Lines) -> None:
    everything = b"".join(lines)
    assert b"a question" not in everything
    assert base64.b64encode(b"a question")[:12] not in everything


def test_an_export_without_payloads_holds_too(lines: Lines, check: Check) -> None:
    verdict = check(list(export_stream("run_a", with_payloads=False)))
    assert (verdict.is_valid, verdict.payloads, verdict.absent) == (True, 0, 3)


def test_an_export_of_several_writers_holds(lines: Lines, check: Check) -> None:
    call("run_a", answer=False)
    intent = Entry.objects.get(stream="run_a", seq=7)
    write_chain("run_a", "gw-2", [result_of(intent)])
    verdict = check(list(export_stream("run_a")))
    assert (verdict.is_valid, verdict.chains, verdict.entries) == (True, 2, 8)


def test_an_unknown_stream_is_an_empty_export(check: Check) -> None:
    assert check(list(export_stream("run_none"))).entries == 0


def test_a_long_stream_is_exported_whole(check: Check, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ledger.export.BATCH", 2)
    for _ in range(3):
        call("run_a")
    assert check(list(export_stream("run_a"))).entries == 6


def recoded(line: bytes, change: Callable[[bytes], bytes], *, fits: bool = False) -> bytes:
    def alter(document: dict[str, Any]) -> None:
        header = change(base64.b64decode(document["header"]))
        document["header"] = base64.b64encode(header).decode()
        if fits:
            document["leaf_hash"] = leaf_hash(header).hex()

    return edited(line, alter)


def swap_payloads(lines: Lines) -> Lines:
    one, two = json.loads(lines[1]), json.loads(lines[3])
    one["payload"], two["payload"] = two["payload"], one["payload"]
    coded = [json.dumps(document).encode() + b"\n" for document in (one, two)]
    return [lines[0], coded[0], lines[2], coded[1], *lines[4:]]


TAMPERINGS: dict[str, tuple[Callable[[Lines], Lines], int, str]] = {
    "an edited fact": (
        lambda ls: [*ls[:3], recoded(ls[3], lambda h: h.replace(b"sandbox", b"another")), *ls[4:]],
        3, "its leaf hash is not the hash of its header",
    ),
    "the last fact": (
        lambda ls: [*ls[:6], recoded(ls[6], lambda h: h.replace(b"completed", b"cut")), ls[7]],
        6, "its leaf hash is not the hash of its header",
    ),
    "an edited fact whose leaf hash fits": (
        lambda ls: [
            *ls[:3],
            recoded(ls[3], lambda h: h.replace(b"sandbox", b"another"), fits=True),
            *ls[4:],
        ],
        4, "its prev is not the leaf hash",
    ),
    "the last fact with its leaf hash": (
        lambda ls: [
            *ls[:6], recoded(ls[6], lambda h: h.replace(b"completed", b"cut"), fits=True), ls[7],
        ],
        0, "the last line does not agree",
    ),
    "no leaf hash": (
        lambda ls: [*ls[:2], edited(ls[2], lambda d: d.pop("leaf_hash")), *ls[3:]],
        0, "line 3: its leaf_hash is not hexadecimal",
    ),
    "a deleted entry": (lambda ls: [*ls[:3], *ls[4:]], 4, "goes on after seq 2 with seq 4"),
    "a deleted tail": (lambda ls: [*ls[:6], ls[7]], 0, "the last line does not agree"),
    "two in each other's place": (
        lambda ls: [*ls[:3], ls[4], ls[3], *ls[5:]], 4, "goes on after seq 2 with seq 4",
    ),
    "swapped payloads": (swap_payloads, 1, "its payload's ciphertext has another digest"),
    "a payload where none was": (
        lambda ls: [
            *ls[:2],
            edited(ls[2], lambda d: d.update(payload={"nonce": "", "ciphertext": ""})),
            *ls[3:],
        ],
        2, "a payload lies beside it",
    ),
    "an entry twice": (lambda ls: [*ls[:3], ls[2], *ls[3:]], 2, "goes on after seq 2 with seq 2"),
    "another stream's name": (
        lambda ls: [edited(ls[0], lambda d: d.update(stream="run_z")), *ls[1:]],
        0, "line 2: the entry belongs to another stream",
    ),
    "an unreadable header": (
        lambda ls: [*ls[:2], recoded(ls[2], lambda h: h[:-1]), *ls[3:]],
        0, "line 3: the header is not JSON",
    ),
    "a header that is no base64": (
        lambda ls: [*ls[:2], edited(ls[2], lambda d: d.update(header="é")), *ls[3:]],
        0, "line 3: its header is not base64",
    ),
    "a payload of another shape": (
        lambda ls: [ls[0], edited(ls[1], lambda d: d.update(payload={"nonce": ""})), *ls[2:]],
        0, "line 2: its payload has the wrong shape",
    ),
    "an unknown field": (
        lambda ls: [ls[0], edited(ls[1], lambda d: d.update(more=1)), *ls[2:]],
        0, "line 2: it is no entry",
    ),
    "a line of noise": (lambda ls: [ls[0], b"noise\n", *ls[1:]], 0, "line 2: it is no entry"),
    "something after the end": (
        lambda ls: [*ls, ls[1]], 0, "line 9: something follows the last line",
    ),
    "an end that promises more": (
        lambda ls: [*ls[:7], edited(ls[7], lambda d: d["end"].update(entries=7))],
        0, "line 8: the last line does not agree",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", TAMPERINGS)
def test_a_changed_export_is_invalid_and_the_first_bad_entry_named(
    lines: Lines, check: Check, name: str
) -> None:
    tamper, seq, wrong = TAMPERINGS[name]
    verdict = check(tamper(lines))
    assert verdict.first is not None
    assert (verdict.first.seq, wrong in verdict.first.wrong) == (seq, True), verdict.findings


@pytest.mark.parametrize("kept", [0, 1, 4, 7])
def test_a_file_that_was_cut_off_is_incomplete(lines: Lines, check: Check, kept: int) -> None:
    with pytest.raises(LedgerUnreadable):
        check(lines[:kept])


@pytest.mark.parametrize("content", [b"", b"{}\n", b"[1]\n", b"noise", b'{"format":"other/1"}\n'])
def test_a_file_that_is_no_export_is_incomplete(check: Check, content: bytes) -> None:
    with pytest.raises(LedgerUnreadable, match="not an export"):
        check([content])


def test_the_command_checks_a_file(
    lines: Lines, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "run.jsonl"
    path.write_bytes(b"".join(lines))
    call_command("verify", "--export", str(path))
    assert "6 entries in 1 chains" in capsys.readouterr().out
    path.write_bytes(b"".join([*lines[:3], *lines[4:]]))
    with pytest.raises(SystemExit) as ended:
        call_command("verify", "--export", str(path))
    assert ended.value.code == 1
    entry_id = Entry.objects.get(stream="run_a", seq=4).entry_id
    assert (
        f"INVALID: entry {entry_id} in stream run_a, writer app, seq 4" in capsys.readouterr().out
    )


def test_an_export_of_a_tampered_log_shows_it(
    lines: Lines, check: Check, tamperer: Tamperer
) -> None:
    tamperer.execute("UPDATE ledger_payload SET ciphertext = 'x'")
    verdict = check(list(export_stream("run_a")))
    assert verdict.first is not None
    assert "another digest" in verdict.first.wrong


def test_a_change_without_payload_is_exported_as_it_is(check: Check) -> None:
    with transaction.atomic():
        record(Verb.AGENT_CHANGED, Ref("agent", "agt_x"), actor=ALICE)
    assert check(list(export_stream("agent:agt_x"))).entries == 1
