"""Recording the golden runs of this release: `make golden` names this file, or it is not run."""

from __future__ import annotations

from routing.code import RELEASE
from tests.golden.corpus import write
from tests.golden.recording import Recording
from tests.golden.scenarios import SCENARIOS


def test_record_the_golden_runs_of_this_release(recording: Recording) -> None:
    golden = [one for one in SCENARIOS if one.is_golden]
    write(RELEASE, {one.name: recording.record(one)[0] for one in golden})
