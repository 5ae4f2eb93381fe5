"""What a list of runs costs as the ledger grows: each size in one cluster after the other.

Every address is asked for at every size, with calls that no sweep has reached yet, so that
what a reader adds is in the figures. Says which of the big tables a plan reads whole.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any, Final

from bench.effort import Effort
from bench.portal.company import Shape
from bench.portal.population import Population
from bench.portal.site import Site
from bench.portal.traffic import Traffic
from bench.portal.visits import Visitor, in_turn
from bench.runs.summaries import sum_all

LIMIT_MS: Final = 300.0  # the last 100 runs of one agent, 95 of 100 times
AGENTS: Final = 200
LONG_RUN: Final = 1000  # calls: two thousand entries
# What the sweep has not reached: three seconds of two hundred calls.
_BEHIND: Final = 600
_BIG: Final = frozenset({"ledger_entry", "routing_call", "routing_run", "routing_runsummary"})


def measure(effort: Effort) -> dict[str, Any]:
    """Grow a ledger to each size and ask for its runs."""
    with tempfile.TemporaryDirectory(prefix="unsprawl-bench-") as home:
        site = Site(Path(home))
        try:
            site.start()
            return _measure(site, effort)
        finally:
            site.stop()


def _measure(site: Site, effort: Effort) -> dict[str, Any]:
    population = Population(site.bulk())
    traffic = Traffic(population, long_run=LONG_RUN)
    population.add_company(AGENTS)
    population.add_agents(AGENTS)
    site.serve()
    people = population.people
    cookies = site.sign_in(people[0], people[-1])
    sizes = []
    for size in effort.run_entries:
        started = time.perf_counter()
        _grow(population, traffic, size)
        loaded = time.perf_counter() - started
        rows = [
            _row(site, cookies[people[0] if viewer == "owner" else people[-1]], viewer, name, to,
                 effort.sequential)
            for viewer, name, to in _addresses(traffic.long_run)
        ]  # fmt: skip
        sizes.append(
            {
                "entries": _count(population, "ledger_entry"),
                "runs": _count(population, "routing_runsummary"),
                "loaded_seconds": round(loaded, 1),
                "summary_mib": _mib(population, "routing_runsummary"),
                "entries_mib": _mib(population, "ledger_entry"),
                "rows": rows,
            }
        )
    return {"limit_ms": LIMIT_MS, "behind": _BEHIND, "sizes": sizes}


def _grow(population: Population, traffic: Traffic, entries: int) -> None:
    bulk = population.bulk
    have = _count(population, "routing_call")
    behind = min(_BEHIND, entries // 20)
    traffic.add_calls(max(0, entries // 2 - have - behind))
    bulk.run("DELETE FROM routing_runsummary")
    sum_all(bulk)
    traffic.add_calls(behind)
    bulk.run("VACUUM ANALYZE")


def _addresses(long_run: str) -> list[tuple[str, str, str]]:
    mine = next(n for n in range(AGENTS) if Shape(n).is_callable)
    agent, shape = Shape(mine).name, Shape(mine)
    asked = {
        "the last 100 of one agent": f"/api/v1/runs?page_size=100&agent={agent}",
        "all": "/runs/",
        "of an agent": f"/runs/?agent={agent}",
        "of an agent, failed": f"/runs/?agent={agent}&outcome=failed",
        "of a team": "/runs/?team=team-07",
        "failed": "/runs/?outcome=failed",
        "denied": "/runs/?outcome=denied",
        "in flight": "/runs/?state=in_flight",
        "over": "/runs/?state=over",
        "by model": "/runs/?model=none-of-these",
        "by route": f"/runs/?route={shape.route}",
        "with a tool": "/runs/?tool=lookup",
        "dearest": "/runs/?ordering=-cost",
        "longest": "/runs/?ordering=-took",
        "by cost": "/runs/?cost_from=1",
        "by time": "/runs/?period=1",
        "word, none fits": "/runs/?search=zebra",
        "word, all fit": "/runs/?search=job",
        "by run id": f"/runs/?search={long_run}",
        "page of a run, 2,000 entries": f"/runs/{long_run}/",
        "its calls": f"/runs/{long_run}/calls/",
    }
    owned = ("the last 100 of one agent", "all", "failed", "word, none fits")
    return [("governing", *each) for each in asked.items()] + [
        ("owner", name, asked[name]) for name in owned
    ]


def _row(
    site: Site, cookie: str, viewer: str, name: str, address: str, times: int
) -> dict[str, Any]:
    visits = in_turn(site.port, cookie, address, times)
    spent = sorted(visit.app for visit in visits)
    told = Visitor(site.port, cookie).statements(address)
    row: dict[str, Any] = {
        "viewer": viewer,
        "name": name,
        "statuses": sorted({visit.status for visit in visits}),
        "queries": visits[0].queries,
        "p50_ms": round(median(spent), 1),
        "p95_ms": round(spent[round(0.95 * (len(spent) - 1))], 1),
        "db_p50_ms": round(median(visit.db for visit in visits), 1),
        "read_whole": sorted(_BIG & set(told["read_whole"])),
    }
    if row["p95_ms"] > LIMIT_MS or row["read_whole"]:
        row["slowest"], row["plan"] = told["slowest"], told["plan"]
    return row


def _count(population: Population, table: str) -> int:
    number: int = population.bulk.rows(f"SELECT count(*) FROM {table}")[0][0]  # noqa: S608
    return number


def _mib(population: Population, table: str) -> int:
    found = population.bulk.rows("SELECT pg_total_relation_size(%s::regclass)", table)
    size: int = found[0][0]
    return round(size / 2**20)
