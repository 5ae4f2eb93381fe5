"""The stand-alone verifier on files as the service writes them, whole and damaged."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.db import transaction

from kernel.refs import Ref
from ledger.record import record
from ledger.verbs import Verb
from tests.ledger.standalone.exported import (
    Exporter,
    grow,
    note_of,
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
