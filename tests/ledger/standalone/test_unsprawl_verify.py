"""The stand-alone verifier on files as the service writes them, whole and damaged."""

from __future__ import annotations

import ast
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.db import connection, transaction

from kernel import clock
from kernel.refs import Ref
from ledger.auditing.audit import audit
from ledger.auditing.trust import Trust
from ledger.epochs import open_epoch, plan_epoch
from ledger.headers import read_header
from ledger.models import DataKey, Entry, Payload
from ledger.record import record
from ledger.sequencing.keys import SigningKey
from ledger.standalone import unsprawl_verify
from ledger.standalone.unsprawl_verify import Key, verify
from ledger.transparency.notes import COSIGNATURE_V1, VerifierKey
from ledger.verbs import Verb
from tests.ledger.conftest import Tamperer
from tests.ledger.sequenced import LOG_KEY, sequence_now
from tests.ledger.standalone import made
from tests.ledger.standalone.exported import (
    WITNESS_KEY,
    WITNESS_NAME,
    Exporter,
    b64,
    cosign_all,
    grow,
    note_of,
    public,
)  # fmt: skip
from tests.ledger.test_verification import call

pytestmark = pytest.mark.django_db
ALICE = Ref("person", "per_alice")


@pytest.fixture
def exporter(tmp_path: Path) -> Exporter:
    return Exporter(tmp_path / "exports")


@pytest.fixture
def log() -> None:
    """Runs and changes in several steps of the sequencer, beyond one whole tile."""
    for step in range(4):
        for number in range(40):
            call(f"run_{step}_{number % 9}")
        with transaction.atomic():
            record(Verb.AGENT_CHANGED, Ref("agent", "agt_one"), actor=ALICE, agent_id="agt_one",
                   facts={"note": "ü", "names": ["a", "b"], "é": 1})  # fmt: skip
        grow(limit=50)


@pytest.mark.usefixtures("log")
@pytest.mark.parametrize("scope", [None, "run_0_1", "agt_one"])
def test_what_the_service_exports_is_valid(exporter: Exporter, scope: str | None) -> None:
    report = exporter.check(exporter.lines(scope), since=(note_of(size=50),) if not scope else ())
    assert (report.code, report.document()) == (0, report.document())
    assert report.entries > 0
    assert report.epochs[0]["proven"] == report.epochs[0]["size"] == 324
    assert report.epochs[0]["witnesses"] == ["witness.example"]
    assert report.export_signature == "holds: agents.example/export"


NEW_KEY = SigningKey.of(Ed25519PrivateKey.from_private_bytes(bytes(range(100, 132))))


@pytest.mark.usefixtures("log")
def test_a_further_epoch_vouches_for_the_one_it_left(exporter: Exporter) -> None:
    """The auditor holds the new key only: its first leaf records the end of the old tree."""
    kept = note_of()
    open_epoch(plan_epoch(key=NEW_KEY, reason="a new key"), actor=ALICE)
    call("run_0_1")
    call("run_new")
    sequence_now(key=NEW_KEY)
    cosign_all()
    new = (Key(None, NEW_KEY.public),)
    report = exporter.check(exporter.lines(), keys=new)
    assert (report.code, report.epochs[0]["is_trusted"]) == (0, False), report.document()
    later = exporter.check(exporter.lines("run_new"), keys=new)
    assert (later.code, len(later.notes)) == (0, 1), later.document()
    assert "no entry of this file lies in it" in later.notes[0]
    trusted = Trust((NEW_KEY.public,), ())
    assert audit(trusted).word == "valid"
    both = (*new, Key(None, LOG_KEY.public))
    assert exporter.check(exporter.lines(), keys=both, since=(kept,)).code == 0
    other = (Key(None, public(WITNESS_KEY)),)
    wrong = exporter.check(exporter.lines(), keys=other)
    assert wrong.code == 1
    assert "not among the keys given" in str(wrong.findings.ordered()[0])
    assert audit(Trust((bytes(32),), ())).word == "invalid"


@pytest.mark.usefixtures("log")
def test_what_came_while_a_person_looked_at_the_plan_is_in_the_record_of_the_end(
    exporter: Exporter,
) -> None:
    plan = plan_epoch(key=NEW_KEY, reason="a new key")
    call("run_0_1")
    grow()
    opened = Entry.objects.get(entry_id=open_epoch(plan, actor=ALICE).entry_id)
    assert read_header(bytes(opened.header)).facts["left_size"] == plan.size + 2
    sequence_now(key=NEW_KEY)
    cosign_all()
    assert audit(Trust((NEW_KEY.public,), ())).word == "valid"
    assert exporter.check(exporter.lines(), keys=(Key(None, NEW_KEY.public),)).code == 0


TRUSTED = Trust(
    (LOG_KEY.public,), (VerifierKey(WITNESS_NAME, COSIGNATURE_V1, public(WITNESS_KEY)),)
)


def test_entries_that_nothing_vouches_for_after_a_while_leave_the_database_unproven(
    tamperer: Tamperer,
) -> None:
    call("run_a")
    assert (audit(TRUSTED).word, audit(TRUSTED, patience=0).incomplete) == (
        "valid", ("2 entries have no place in a tree: is the sequencer running?",),
    )  # fmt: skip
    grow()
    assert audit(TRUSTED, patience=0).word == "valid"
    call("run_a")
    grow()
    tamperer.execute("DELETE FROM ledger_checkpointsignature WHERE is_witness AND size > 2")
    assert audit(TRUSTED).word == "valid"  # a witness may take a moment
    assert audit(TRUSTED, patience=0).incomplete == (
        "2 entries lie in no tree that a witness cosigned",
    )


def test_the_time_that_nobody_signs_excuses_no_entry(tamperer: Tamperer) -> None:
    call("run_a")
    grow()
    with clock.held_at(clock.now() - timedelta(days=300)):
        call("run_a")
    grow()
    assert "long before its place" in str(audit(TRUSTED).first)
    tamperer.execute("UPDATE ledger_epoch SET opened_at = now() + interval '1 year'")
    found = audit(TRUSTED)
    assert found.word == "invalid"
    assert any("after a witness saw its tree" in str(one) for one in found.findings)


def as_superuser(statement: str, parameters: list[str]) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute(statement, parameters)
        cursor.execute("SET LOCAL session_replication_role = origin")


@pytest.mark.usefixtures("log")
def test_a_key_destroyed_behind_the_newest_checkpoint_raises_no_alarm(exporter: Exporter) -> None:
    """A file says of keys what was so at its checkpoints, however long it takes to write."""
    dek = DataKey.objects.order_by("dek_id")[0].dek_id
    with transaction.atomic():
        said = record(
            Verb.DATAKEY_SHREDDED, Ref("retention", "internal"), actor=ALICE,
            facts={"deks": [dek], "keys": 1, "why": "age", "shred": "shr_1"},
        )  # fmt: skip
    as_superuser(
        "UPDATE ledger_datakey SET state = 'shredded', wrapped_key = NULL, shredded_at = now(),"
        " shredded_by = %s WHERE dek_id = %s",
        [said.entry_id, dek],
    )
    for state in (b"active", b"shredded"):
        lines = exporter.lines()
        [stated] = [line for line in lines if line.startswith(b'{"key":{"dek":"%s"' % dek.encode())]
        assert b'"state":"%s"' % state in stated
        assert said.entry_id.encode() in stated
        report = exporter.check(lines)
        assert report.code == 0, report.document()
        grow()


@pytest.mark.usefixtures("log")
def test_a_payload_deleted_while_its_key_is_active_is_found(exporter: Exporter) -> None:
    entry = Payload.objects.order_by("entry_id")[3].entry_id
    as_superuser("DELETE FROM ledger_payload WHERE entry_id = %s", [entry])
    report = exporter.check(exporter.lines())
    [found] = report.findings.ordered()
    assert (found.place.id, "data key is not destroyed" in found.wrong) == (entry, True)
    without = exporter.check(exporter.lines(payloads=False))
    assert without.code == 0
    assert any("payloads are absent" in text for text in without.unproven)


@pytest.mark.usefixtures("log")
def test_a_file_that_was_cut_is_incomplete_wherever_it_was_cut(exporter: Exporter) -> None:
    whole = b"".join(exporter.lines("run_0_1"))
    for size in range(0, len(whole), 1 + len(whole) // 60):
        report = exporter.check([whole[:size]])
        assert (size, report.code, report.findings.bad) == (size, 2, 0)


@pytest.mark.usefixtures("log")
def test_without_a_key_nothing_is_said_to_be_proven(exporter: Exporter) -> None:
    report = exporter.check(exporter.lines(), keys=())
    assert (report.code, report.incomplete) == (
        2, ["no key of the log was given: its signatures prove nothing"],
    )  # fmt: skip


@pytest.mark.usefixtures("log")
def test_what_lies_in_no_tree_yet_is_counted_and_not_believed(exporter: Exporter) -> None:
    call("run_0_1")
    report = exporter.check(exporter.lines("run_0_1"))
    assert (report.code, report.loose, report.findings.bad) == (2, 2, 0)


@pytest.mark.usefixtures("log")
def test_it_runs_alone_with_nothing_but_the_standard_library_and_cryptography(
    exporter: Exporter, tmp_path: Path
) -> None:
    """In a process that sees none of our packages, as a script that was downloaded."""
    path = tmp_path / "export.jsonl"
    path.write_bytes(b"".join(exporter.lines()))
    script = tmp_path / "unsprawl_verify.py"
    shutil.copy(str(unsprawl_verify.__file__), script)
    command = [sys.executable, "-I", str(script), str(path), "--json", "--key", b64(LOG_KEY.public)]
    done = subprocess.run(command, capture_output=True, cwd=tmp_path, check=False)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert (said["verdict"], said["entries"], said["bad"]) == ("valid", 324, 0)
    done = subprocess.run([*command[:4], "--key", "nonsense"], capture_output=True, check=False)
    assert (done.returncode, b"a key has 6 bytes" in done.stdout) == (2, True)


@pytest.mark.usefixtures("log")
@pytest.mark.parametrize(
    ("which", "change", "wrong"),
    [
        ("entry", lambda line: line.replace(b'"index":', b'"index": '), "not an entry"),
        ("entry", lambda line: line.replace(b'{"entry":{"epoch":1', b'{"entry":{"epoch":01'),
         "not an entry"),
        ("entry", lambda line: b"{}\n", "not an entry"),
        ("entry", lambda line: b"", "is not in the file"),
        ("entry", lambda line: line + line, "does not follow"),
        ("tile", lambda line: b"", "not in the file"),
        ("tile", lambda line: line + line, "does not follow"),
        ("checkpoint", lambda line: line.replace(b"\\n", b"\\r\\n"), "control characters"),
        ("end", lambda line: line.replace(b'"entries":', b'"entries":1'), "the file's end says"),
        ("signature", lambda line: line.replace(b"export/2", b"export/3"), "other bytes"),
        ("key", lambda line: b"", "has no row"),
    ],
)  # fmt: skip
def test_a_damaged_line_is_found(
    exporter: Exporter, which: str, change: Callable[[bytes], bytes], wrong: str
) -> None:
    lines = exporter.lines()
    at = next(n for n, line in enumerate(lines) if line.startswith(b'{"%s"' % which.encode()))
    lines[at] = change(lines[at])
    report = exporter.check(lines)
    said = [str(finding) for finding in report.findings.ordered()]
    assert report.code == 1
    assert any(wrong in text for text in said), said


def test_two_processes_say_what_one_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unsprawl_verify, "ALONE_BELOW", 0)
    monkeypatch.setattr(unsprawl_verify, "BLOCK_BYTES", 20_000)
    headers = list(made.headers(700))
    headers[400] = headers[400].replace(b'"attempt":1', b'"attempt":2')
    path = tmp_path / "made.jsonl"
    path.write_bytes(b"".join(made.Made(headers).lines()))
    one, two = (verify(str(path), made.TRUST, processes=count) for count in (1, 2))
    said = one.document()
    assert (said["verdict"], said["first"]["index"], said["bad"]) == ("invalid", 400, 1)
    assert two.document() | {"seconds": 0} == said | {"seconds": 0}


@pytest.mark.parametrize("size", [0, 1, 2, 255, 256, 257, 600])
def test_a_file_of_any_size_holds(tmp_path: Path, size: int) -> None:
    path = tmp_path / "made.jsonl"
    path.write_bytes(b"".join(made.Made(list(made.headers(size)), sizes=[size // 2]).lines()))
    report = verify(str(path), made.TRUST)
    assert (report.entries, report.findings.bad) == (size, 0), report.document()
    assert report.code == (0 if size else 2)  # nothing was sequenced: nothing is proven


def test_an_entry_beyond_one_block_is_read_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unsprawl_verify, "BLOCK_BYTES", 100)
    path = tmp_path / "made.jsonl"
    path.write_bytes(b"".join(made.Made(list(made.headers(30))).lines()))
    assert verify(str(path), made.TRUST).code == 0


def test_the_log_signing_two_trees_is_a_fork(tmp_path: Path) -> None:
    """Every entry of the file holds; an older checkpoint, truly signed, is of another tree."""
    mine, other = list(made.headers(20)), list(made.headers(10, calls=3))
    kept = made.Made(other).note([made.leaf_of(header) for header in other])
    path = tmp_path / "made.jsonl"
    path.write_bytes(b"".join(made.Made(mine).lines()))
    report = verify(str(path), made.TRUST._replace(since=(kept.encode(),)))
    assert (report.code, report.findings.bad) == (3, 0)
    assert "does not begin this tree" in report.diverged[0]


def test_it_is_written_for_python_3_9() -> None:
    """As far as a later Python can tell: no newer syntax, none of the names that came later."""
    text = Path(str(unsprawl_verify.__file__)).read_text(encoding="utf-8")
    tree = ast.parse(text, feature_version=(3, 9))
    named = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    named |= {name.name for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)
              for name in node.names}  # fmt: skip
    words = {word.arg for node in ast.walk(tree) if isinstance(node, ast.Call)
             for word in node.keywords}  # fmt: skip
    assert not named & {"UTC", "StrEnum", "pairwise", "batched", "Self", "TypeAlias", "bit_count"}
    assert not words & {"slots", "kw_only", "strict_mode"}
    assert "strict=" not in text
