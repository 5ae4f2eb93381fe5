"""What earlier releases recorded comes out the same, or a change of that name says why not."""

from __future__ import annotations

import pytest

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
