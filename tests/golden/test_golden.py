"""What earlier releases recorded comes out the same, or a change of that name says why not."""

from __future__ import annotations

import shutil
import subprocess
import sys

import pytest

from config.places import BASE_DIR
from routing.code import RELEASE, code_version
from routing.gateway.replaying.run import Replayer
from tests.golden.corpus import HOME, changes, golden_runs
from tests.golden.scenarios import SCENARIOS

RUNS = dict(golden_runs()) if HOME.exists() else {}


@pytest.mark.parametrize("name", RUNS)
def test_a_golden_run_is_replayed_byte_for_byte(name: str) -> None:
    with Replayer(code_version()) as replayer:
        report = replayer.replay(RUNS[name])
    assert report.connections == 0
    change = changes().get(name)
    if change is None:
        assert report.verdict == "identical", report.first
        return
    assert change.why
    assert report.first is not None, f"{name} is the same again: take it out of changes.json"
    assert report.first[1].name == change.step


def test_there_are_golden_runs_of_this_release() -> None:
    kinds = {name.partition("/")[2] for name in RUNS if name.startswith(f"{RELEASE}/")}
    assert kinds >= {one.name for one in SCENARIOS if one.is_golden}


def test_every_change_is_of_a_golden_run() -> None:
    assert changes().keys() <= RUNS.keys()


REPLAY_ALL = """
from routing.gateway.replaying.run import replay_all
from tests.golden.corpus import changes, golden_runs
runs = [run for name, run in golden_runs() if name not in changes()]
reports = replay_all(runs, "test")
print(len(reports), {one.verdict for one in reports}, sum(one.connections for one in reports))
"""


def test_golden_runs_are_replayed_where_there_is_no_network() -> None:
    """In a network namespace of its own, where the system gives one: no loopback, even."""
    alone = ["unshare", "--user", "--map-root-user", "--net"]
    can = shutil.which("unshare") and subprocess.run([*alone, "true"], check=False).returncode == 0
    ran = subprocess.run(
        [*(alone if can else []), sys.executable, "-c", REPLAY_ALL],
        cwd=BASE_DIR,
        capture_output=True,
        text=True,
        check=False,
    )
    count = len(RUNS.keys() - changes().keys())
    assert ran.stdout == f"{count} {{'identical'}} 0\n", ran.stderr
