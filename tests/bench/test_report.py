from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bench import report


@pytest.fixture
def ran() -> dict[str, Any]:
    machine = {
        "cores": 2, "cpu": "A CPU", "memory_gib": 8.0, "python": "3.11.7", "postgresql": "18.0",
        "fsync_p50_ms": 0.2, "fsync_p95_ms": 1.0, "load_before": 0.1,
    }  # fmt: skip
    return {
        "measured_at": "2026-11-21T10:00:00.000000Z",
        "effort": "full",
        "machine": machine,
        "parts": {"ledger": _ledger(1000)},
    }


def _ledger(rate: int) -> dict[str, Any]:
    return {
        "entries": 5000, "payloads": 5000, "seconds": 5.0, "peak_mib": 60.0,
        "entries_per_second": rate,
    }  # fmt: skip


def test_a_full_run_of_one_part_leaves_the_others_as_they_were(
    ran: dict[str, Any], tmp_path: Path
) -> None:
    report.write(ran | {"parts": {"startup": {"old": True}}}, tmp_path, is_published=True)
    report.write(ran, tmp_path, is_published=True)
    latest = report.read(tmp_path / "latest.json")
    assert latest is not None
    assert latest["parts"] == {"startup": {"old": True}, "ledger": _ledger(1000)}


def test_figures_of_another_machine_are_not_mixed_in(ran: dict[str, Any], tmp_path: Path) -> None:
    report.write(ran, tmp_path, is_published=True)
    other = ran | {"machine": ran["machine"] | {"cores": 64}, "parts": {"startup": {}}}
    report.write(other, tmp_path, is_published=True)
    latest = report.read(tmp_path / "latest.json")
    assert latest is not None
    assert list(latest["parts"]) == ["startup"]


def test_a_run_at_less_effort_is_not_published(ran: dict[str, Any], tmp_path: Path) -> None:
    report.write(ran | {"effort": "quick"}, tmp_path, is_published=False)
    assert report.read(tmp_path / "latest.json") is None


def test_the_document_holds_the_newest_figures_between_its_marks(
    ran: dict[str, Any], tmp_path: Path
) -> None:
    page = tmp_path / "benchmarks.md"
    page.write_text("before\n<!-- figures -->\nold\n<!-- end of figures -->\nafter\n")
    for rate in (1000, 2000):
        ran["parts"]["ledger"] = _ledger(rate)
        report.document(ran, page)
    text = page.read_text()
    assert text.startswith("before\n")
    assert text.endswith("after\n")
    assert "2,000" in text
    assert "1,000" not in text
    assert "old" not in text


def test_the_documented_figures_are_the_published_ones() -> None:
    # After a full run: make bench ARGS=--document
    latest = report.read(report.RESULTS / "latest.json")
    said = report.DOCUMENT.read_text(encoding="utf-8")
    assert (report.figures(latest) if latest else "Not measured yet.") in said
