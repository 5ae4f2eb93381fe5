"""What is written here holds where it is checked by code that shares nothing with it."""

from __future__ import annotations

import base64
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from django.db import connection, transaction

from kernel.refs import Ref
from ledger.exports.planning import make_plan, period_after, period_between
from ledger.exports.scope import OneAgent, OneRun, Period, Range
from ledger.exports.signing import ExportSigner, ensure_export_key
from ledger.exports.writing import export
from ledger.record import record
from ledger.standalone import unsprawl_verify
from ledger.verbs import Verb
from tests.ledger.test_verification import call
from tests.ledger.trees import Tree

pytestmark = pytest.mark.django_db


@pytest.fixture
def tree(db: None) -> Tree:
    tree = Tree().open()
    for number in range(150):
        call(f"run_{number % 2}{number % 3}", f"agt_{number % 2}")
        if number % 50 == 10:
            tree.grow()
    with transaction.atomic():
        record(Verb.TEAM_ADDED, Ref("team", "t"), actor=Ref("system", "x"))
    return tree


@pytest.mark.parametrize(
    ("scope", "payloads", "code"),
    [
        (OneRun("run_00"), True, 2),  # its last entries are in no tree yet
        (OneAgent("agt_1"), True, 2),
        ("whole", True, 0),
        ("whole", False, 0),
        (Period((Range(1, 22, 122),), ends_at=datetime(2100, 1, 1, tzinfo=UTC)), True, 0),
        (Period((Range(1, 22, 122),)), True, 1),  # open-ended, and not to the end
    ],
)
def test_the_stand_alone_checker_agrees(
    tree: Tree, tmp_path: Path, scope: Any, payloads: Any, code: int
) -> None:
    connection.ensure_connection()
    database: Any = connection.connection
    ensure_export_key(tmp_path, "https://agents.example")
    signer = ExportSigner(tmp_path, "https://agents.example")
    if scope == "whole":
        scope = period_between(database, None, None)
        assert scope == period_after(database, {})
    plan = make_plan(database, scope, payloads=payloads)
    path = tmp_path / "export.jsonl"
    path.write_bytes(b"".join(export(database, plan, signer)))
    public = base64.b64encode(tree.key.public_key().public_bytes_raw()).decode()
    witness = base64.b64encode(tree.witness.public_key().public_bytes_raw()).decode()
    given = [str(path), "--key", public, "--witness", witness]
    assert unsprawl_verify.main(given) == code
    path.write_bytes(re.sub(rb'"index":(\d+)', _next, path.read_bytes(), count=1))
    assert unsprawl_verify.main(given) == 1


def _next(found: re.Match[bytes]) -> bytes:
    return b'"index":%d' % (int(found[1]) + 1)
