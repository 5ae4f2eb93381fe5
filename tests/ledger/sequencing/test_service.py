"""What a sequencer does where it cannot, or may not yet, go on."""

from __future__ import annotations

import base64
import os
from pathlib import Path

import pytest

from config.env import Env
from config.sequencer import settings_from
from ledger.sequencing.keys import KeyUnreadable, SigningKey, ensure_signing_key
from ledger.sequencing.service import Settings
from tests.ledger.sequencing.conftest import HOST, Log

pytestmark = pytest.mark.xdist_group("sequencing")

WITNESSED = ("-m", "tests.ledger.sequencing.witnessed_program")
REPORT = "SELECT about, state, found FROM ledger_sequencerreport ORDER BY id DESC LIMIT 1"


def test_a_role_without_rights_is_said_and_what_to_do(log: Log) -> None:
    log.fill(1)
    process = log.start(database=log.rig.login)
    assert process.wait(60) == 1
    assert "Set DATABASE_SEQUENCER_URL" in log.said.read_text(encoding="utf-8")
    assert log.sequenced == 0


def test_a_key_that_cannot_be_read_halts_it_and_is_said(log: Log, tmp_path: Path) -> None:
    log.fill(1)
    process = log.start(keys=tmp_path)
    assert process.wait(60) == 1
    ((_, state, found),) = log.query(REPORT)
    assert state == "halted"
    assert "cannot be read as a key" in found


def test_nothing_is_sequenced_before_the_witness_was_asked(log: Log, tmp_path: Path) -> None:
    log.fill(5)
    connection, sequencer = log.sequencer()
    with connection:
        sequencer.step()
    log.fill(5)
    answers = tmp_path / "answers"
    log.start(program=(*WITNESSED, "silent", str(answers)))
    log.wait(lambda: [row[1] for row in log.query(REPORT)] == ["behind"])
    assert "not compared" in log.query(REPORT)[0][2]
    assert log.sequenced == 5
    answers.touch()
    log.settle()
    log.wait(lambda: log.query(REPORT)[0][1] == "running")
    log.check()


def test_what_nobody_cosigned_is_offered_at_the_next_start(log: Log) -> None:
    log.fill(5)
    process = log.start()
    log.settle()
    assert log.stop(process) == 0
    log.start(program=WITNESSED)
    log.wait(
        lambda: log.query("SELECT size FROM ledger_checkpointsignature WHERE is_witness") == [(5,)]
    )


def test_a_database_that_is_not_there_yet_is_waited_for(log: Log) -> None:
    log.admin.execute("ALTER TABLE ledger_epoch RENAME TO ledger_epoch_gone")
    try:
        process = log.start()
        log.wait(lambda: "sequencer.lost" in log.said.read_text(encoding="utf-8"))
    finally:
        log.admin.execute("ALTER TABLE ledger_epoch_gone RENAME TO ledger_epoch")
    log.fill(3)
    log.settle()
    assert process.poll() is None


# --- the key


def test_a_key_is_made_once_and_only_its_owner_reads_it(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        assert ensure_signing_key(tmp_path)
    finally:
        os.umask(before)
    assert not ensure_signing_key(tmp_path)
    key = SigningKey.load(tmp_path)
    assert (tmp_path / "ledger.key").stat().st_mode & 0o777 == 0o400
    assert (tmp_path / "ledger.pub").stat().st_mode & 0o777 == 0o444
    assert base64.b64decode((tmp_path / "ledger.pub").read_text()) == key.public
    seed = (tmp_path / "ledger.key").read_text().strip()
    assert seed not in repr(key)
    assert str(key.vkey("o")).startswith("o+")


def test_a_public_half_that_is_missing_follows_from_the_private_one(tmp_path: Path) -> None:
    ensure_signing_key(tmp_path)
    public = (tmp_path / "ledger.pub").read_text()
    (tmp_path / "ledger.pub").unlink()
    assert not ensure_signing_key(tmp_path)
    assert (tmp_path / "ledger.pub").read_text() == public


@pytest.mark.parametrize("text", ["", "x", "AAAA", "é" * 44])
def test_what_is_no_key_is_not_taken_for_one(tmp_path: Path, text: str) -> None:
    (tmp_path / "ledger.key").write_text(text, encoding="utf-8")
    with pytest.raises(KeyUnreadable):
        SigningKey.load(tmp_path)


# --- settings


def test_the_trees_are_named_by_the_public_host() -> None:
    env = Env(
        {"DATABASE_SEQUENCER_URL": "postgresql://x", "UNSPRAWL_PUBLIC_URL": f"https://{HOST}"}
    )
    assert settings_from(env) == Settings("postgresql://x", HOST)
    assert "postgresql" not in repr(settings_from(env))


def test_without_an_address_it_says_which_variable_is_missing() -> None:
    env = Env({})
    settings_from(env)
    assert any("DATABASE_SEQUENCER_URL" in problem for problem in env.problems)
