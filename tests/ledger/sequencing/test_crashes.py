"""A sequencer that dies at each of its steps: the tree goes on, and never says two things."""

from __future__ import annotations

import ast
import os
import signal
import subprocess
from collections import Counter
from functools import partial
from pathlib import Path

import pytest

from ledger.sequencing import crashing
from ledger.sequencing.crashing import CrashPoint
from tests.ledger.sequencing.conftest import Log

pytestmark = pytest.mark.xdist_group("sequencing")

WITNESSED = ("-m", "tests.ledger.sequencing.witnessed_program")
ROUNDS = int(os.environ.get("UNSPRAWL_SOAK_CRASHES", "1"))
# What each start passes once and only then, and what each batch passes.
ONCE = {CrashPoint.LOCKED, CrashPoint.EPOCH_OPENED, CrashPoint.RESTORED}


def _died_or_settled(log: Log, dying: subprocess.Popen[bytes]) -> bool:
    return dying.poll() is not None or log.is_settled


def passes(point: CrashPoint) -> list[int]:
    return [1] if point in ONCE else [1, 2]


CASES = [(point, nth) for point in CrashPoint for nth in passes(point)]


@pytest.mark.slow
@pytest.mark.parametrize(("point", "nth"), CASES)
def test_whatever_step_it_dies_at_the_tree_recovers(log: Log, point: CrashPoint, nth: int) -> None:
    for _ in range(ROUNDS):
        if point is CrashPoint.EPOCH_OPENED:
            log.empty()  # the first is opened once
        log.fill(1_300)
        dying = log.start(crash_at=f"{point}:{nth}", program=WITNESSED)
        log.wait(partial(_died_or_settled, log, dying))
        if dying.poll() is None:
            log.fill(10)  # it needs a further batch to come by there
        assert dying.wait(60) == -signal.SIGKILL
        log.check()
        log.fill(50)
        mending = log.start(program=WITNESSED)
        log.settle()
        log.wait(lambda: log.one(
            "SELECT count(*) FROM ledger_checkpointsignature WHERE is_witness AND size = %s",
            log.signed,
        ) == 1)  # fmt: skip
        log.check()
        assert log.stop(mending) == 0
        assert log.one(
            "SELECT count(*) FROM ledger_checkpoint c LEFT JOIN ledger_checkpointsignature s"
            " ON s.epoch = c.epoch AND s.size = c.size AND NOT s.is_witness WHERE s.id IS NULL"
        ) == 0  # fmt: skip


def test_every_point_is_passed_somewhere_once_so_that_dying_there_means_something() -> None:
    found: Counter[str] = Counter()
    for source in Path(crashing.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "crash":
                found[ast.unparse(node.args[0]).removeprefix("CrashPoint.")] += 1
    assert found == Counter(dict.fromkeys((point.name for point in CrashPoint), 1))
