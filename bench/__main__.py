"""`python -m bench` (`make bench`): measure what is promised, print tables, write JSON."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from bench import machine, report
from bench.backtest.measure import measure as measure_backtest
from bench.cutover.measure import measure as measure_cutover
from bench.duplicates.measure import measure as measure_duplicates
from bench.effort import EFFORTS, TEN_MILLION, Effort
from bench.health.measure import measure as measure_health
from bench.impact.measure import measure as measure_impact
from bench.inbox.measure import measure as measure_inbox
from bench.ledger.appends import measure as measure_appends
from bench.ledger.measure import measure as measure_ledger
from bench.policy.measure import measure as measure_policy
from bench.portal.measure import measure as measure_portal
from bench.proposals.measure import measure as measure_proposals
from bench.revocation.measure import measure as measure_revocation
from bench.runs.measure import measure as measure_runs
from bench.startup.measure import measure as measure_startup
from config.places import BASE_DIR
from kernel import clock


def measure_gateway(effort: Effort) -> dict[str, Any]:
    """Measure the gateway in a process of its own: it binds itself to one core."""
    with tempfile.TemporaryDirectory(prefix="unsprawl-bench-") as home:
        out = Path(home) / "gateway.json"
        command = [
            sys.executable, "-m", "bench.gateway", "--seconds", str(effort.call_seconds),
            "--rounds", str(effort.call_rounds), "--out", str(out),
        ]  # fmt: skip
        subprocess.run(command, cwd=BASE_DIR, check=True, stdout=subprocess.DEVNULL)
        found: dict[str, Any] = json.loads(out.read_text(encoding="utf-8"))
        return found


PARTS: Final[dict[str, Callable[[Effort], dict[str, Any]]]] = {
    "startup": measure_startup,
    "ledger": measure_ledger,
    "appends": measure_appends,
    "portal": measure_portal,
    "inbox": measure_inbox,
    "runs": measure_runs,
    "impact": measure_impact,
    "duplicates": measure_duplicates,
    "policy": measure_policy,
    "backtest": measure_backtest,
    "gateway": measure_gateway,
    "revocation": measure_revocation,
    "cutover": measure_cutover,
    "proposals": measure_proposals,
    "health": measure_health,
}


def main() -> None:
    """Run the parts that are asked for."""
    given = _arguments()
    if given.document:
        latest = report.read(report.RESULTS / "latest.json")
        if latest is None:
            sys.exit("bench/results/latest.json is not there yet: run the whole bench first.")
        report.document(latest)
        return
    effort: Effort = given.effort
    if given.ten_million:
        effort = replace(effort, run_entries=(*effort.run_entries, TEN_MILLION))
    measured: report.Report = {
        "measured_at": clock.stamp(clock.now()),
        "effort": effort.name,
        "machine": machine.facts(),
        "parts": {},
    }
    for name in given.only or PARTS:
        sys.stderr.write(f"{name} …\n")
        at = clock.stamp(clock.now())
        measured["parts"][name] = {"measured_at": at} | PARTS[name](effort)
    is_full = effort.name == "full"
    out = given.out or (report.RESULTS if is_full else report.TRIED)
    report.write(measured, out, is_published=is_full)
    print(report.text(measured))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--only", nargs="+", choices=list(PARTS), help="measure these parts (all)")
    less = parser.add_mutually_exclusive_group()
    for name in ("quick", "tiny"):
        less.add_argument(
            f"--{name}", dest="effort", action="store_const", const=EFFORTS[name],
            help="smaller sizes; the figures are not for publication",
        )  # fmt: skip
    parser.add_argument(
        "--ten-million", action="store_true",
        help="list runs of ten million entries too: needs 25 GB of disk and half an hour",
    )  # fmt: skip
    parser.add_argument("--out", type=Path, help="where the JSON goes (bench/results)")
    parser.add_argument(
        "--document", action="store_true", help="put latest.json's figures into docs/benchmarks.md"
    )
    parser.set_defaults(effort=EFFORTS["full"])
    return parser.parse_args()


if __name__ == "__main__":
    main()
