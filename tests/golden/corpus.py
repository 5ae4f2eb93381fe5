"""The golden runs: recorded by a release, replayed by every later one.

Owns where they lie. `runs/<release>/<scenario>.jsonl` holds a run, `artifacts.jsonl` beside it
what all of them name. A run is never recorded over: what a release changes on purpose is an
entry in `changes.json`, which says from which release on, at which step, and why.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from routing.gateway.replaying.recorded import RecordedRun, dump, load

HOME: Final = Path(__file__).parent / "runs"
CHANGES: Final = Path(__file__).parent / "changes.json"
_SHARED: Final = "artifacts.jsonl"


@dataclass(frozen=True)
class Change:
    """A difference that a release makes on purpose."""

    since: str
    step: str
    why: str


def golden_runs() -> Iterator[tuple[str, RecordedRun]]:
    """Yield each run by ``<release>/<scenario>``, with what it names."""
    for release in sorted(path for path in HOME.iterdir() if path.is_dir()):
        shared = load((release / _SHARED).read_bytes()).artifacts
        for path in sorted(release.glob("*.jsonl")):
            if path.name != _SHARED:
                run = load(path.read_bytes())
                yield f"{release.name}/{path.stem}", replace(run, artifacts=shared)


def write(release: str, runs: dict[str, RecordedRun]) -> None:
    """Write the runs of a release. Raises FileExistsError for one that has its runs."""
    home = HOME / release
    home.mkdir(parents=True)
    shared = {name: body for run in runs.values() for name, body in run.artifacts.items()}
    (home / _SHARED).write_bytes(dump(RecordedRun("", (), shared)))
    for name, run in runs.items():
        (home / f"{name}.jsonl").write_bytes(dump(replace(run, artifacts={})))


def changes() -> dict[str, Change]:
    """Return the differences made on purpose, by ``<release>/<scenario>``."""
    return {name: Change(**said) for name, said in json.loads(CHANGES.read_text()).items()}
