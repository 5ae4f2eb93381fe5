"""Each part of the bench at a tiny size: it runs, and says what documents are made of."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from bench import report
from bench.gateway.rig import COPIED
from config.places import BASE_DIR
from tests.rigs import made_once

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("bench")]


def _measured(part: str, out: Path) -> dict[str, Any]:
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    kept[COPIED] = str(made_once())
    ended = subprocess.run(
        [sys.executable, "-m", "bench", "--tiny", "--only", part, "--out", str(out)],
        cwd=BASE_DIR,
        env=kept,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr[-2000:]
    (written,) = out.iterdir()
    found: dict[str, Any] = json.loads(written.read_text(encoding="utf-8"))
    assert report.text(found) in ended.stdout
    assert str(BASE_DIR) not in written.read_text(encoding="utf-8")
    measured: dict[str, Any] = found["parts"][part]
    return measured


def test_the_gateway_is_measured(tmp_path: Path) -> None:
    cells = _measured("gateway", tmp_path)["cells"]
    assert {cell["connections"] for cell in cells} == {1, 16, 64}
    assert {cell["delay_ms"] for cell in cells} == {0, 50}
    assert not any(cell["errors"] for cell in cells)


def test_every_page_of_the_portal_is_measured(tmp_path: Path) -> None:
    measured = _measured("portal", tmp_path)
    assert measured["agents"] == 60
    assert measured["calls"] == 300
    assert {page["viewer"] for page in measured["pages"]} == {"governing", "owner"}
    answered = {(page["page"], page["viewer"]): page["statuses"] for page in measured["pages"]}
    assert answered == {key: [200] for key in answered}
    assert all(page["queries"] > 0 for page in measured["pages"])


def test_starting_and_idle_memory_are_measured(tmp_path: Path) -> None:
    measured = _measured("startup", tmp_path)
    assert measured["existing_seconds"] > 0
    assert measured["gateway_seconds"] > 0
    running = {
        "supervisor", "postgresql", "broker", "sandbox", "worker", "gateway", "web", "sequencer",
        "witness", "prober",
    }  # fmt: skip
    assert set(measured["memory"]) == running
    assert all(one["pss_mib"] > 0 for one in measured["memory"].values())


def test_verification_is_measured_on_a_sound_log(tmp_path: Path) -> None:
    measured = _measured("ledger", tmp_path)
    assert (measured["payloads"], measured["bad"]) == (600, 0)
    assert 600 <= measured["entries"] < 610  # a log begins with what making it records
    assert measured["entries_per_second"] > 0


def test_revocation_is_measured_in_every_gateway(tmp_path: Path) -> None:
    measured = _measured("revocation", tmp_path)
    assert measured["gateways"] == 4
    assert (measured["never_refused"], measured["never_cut"]) == (0, 0)
    assert set(measured["cut_ms"]) == {"p50", "p95", "p99", "max"}


def test_no_call_fails_for_being_moved(tmp_path: Path) -> None:
    measured = _measured("cutover", tmp_path)
    assert (measured["failed"], measured["calls"] > 100) == (0, True)
    assert measured["recorded"] == measured["calls"]
    assert [step["percent"] for step in measured["steps"]] == [1, 10, 50, 100]
    assert measured["steps"][-1]["moved_percent"] > 20
    assert measured["back_ms"] <= measured["drained_ms"] < 2000
    assert (measured["killed"]["failed"], measured["killed"]["fell_back"] > 0) == (0, True)


def test_lists_of_runs_are_measured_as_the_ledger_grows(tmp_path: Path) -> None:
    (size,) = _measured("runs", tmp_path)["sizes"]
    assert size["entries"] >= 1200
    assert {tuple(row["statuses"]) for row in size["rows"]} == {(200,)}
    assert {row["name"] for row in size["rows"]} >= {"the last 100 of one agent", "denied"}


def test_decisions_are_measured(tmp_path: Path) -> None:
    measured = _measured("policy", tmp_path)
    assert measured["rules"] >= 30
    assert [cell["rules"] for cell in measured["cells"]] == [["calls.allowed"], ["actions.allowed"]]


def test_a_bundle_is_tried_on_what_was_recorded(tmp_path: Path) -> None:
    calls, actions = _measured("backtest", tmp_path)["cells"]
    assert (calls["state"], actions["state"]) == ("ready", "ready")
    assert calls["identical"] == calls["decisions"] == 300
    assert actions["identical"] == actions["changed"] == actions["decisions"] == 15


def test_the_inbox_is_measured_while_questions_wait(tmp_path: Path) -> None:
    measured = _measured("inbox", tmp_path)
    assert measured["open"] == 100
    assert {tuple(row["statuses"]) for row in measured["pages"]} == {(200,)}
    assert all(row["p95_ms"] > 0 for row in measured["pages"])


def test_proposals_are_measured(tmp_path: Path) -> None:
    measured = _measured("proposals", tmp_path)
    assert measured["statuses"] == [200, 202]
    assert measured["alone_ms"]["p50"] > 0
    assert measured["paced_per_second"] > 0


def test_duplicates_are_measured(tmp_path: Path) -> None:
    (row,) = _measured("duplicates", tmp_path)["rows"]
    assert row["agents"] == 100
    assert row["copies_found"] == row["copies"] == 2


def test_the_end_of_a_model_is_measured_in_a_large_fleet(tmp_path: Path) -> None:
    measured = _measured("impact", tmp_path)
    assert (measured["agents"], measured["entries"]) == (200, 20_000)
    assert (measured["touched"], measured["moves"], measured["models"]) == (20, 100, 50)
    assert 0 < measured["impact_p50_ms"] <= measured["impact_max_ms"]


def test_health_is_measured_against_hostile_agents(tmp_path: Path) -> None:
    measured = _measured("health", tmp_path)
    assert measured["agents"] == 60
    assert measured["probes"] >= 60
    assert measured["statuses"]["healthy"] >= 30
