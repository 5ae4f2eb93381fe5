"""What the portal's pages cost with a whole company in it.

Every page is asked for at a tenth of the population too: a number of queries that differs
grows with rows. Nothing fails here; what is over the limit is marked, with its slowest
statement and that one's plan.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any, Final

from bench.effort import Effort
from bench.portal.pages import Page, pages_of
from bench.portal.population import Population
from bench.portal.site import Site
from bench.portal.traffic import Traffic
from bench.portal.visits import Visit, Visitor, in_turn, together
from bench.runs.summaries import sum_all

LIMIT_MS: Final = 100.0


def measure(effort: Effort) -> dict[str, Any]:
    """Load the company, serve it, visit its pages."""
    with tempfile.TemporaryDirectory(prefix="unsprawl-bench-") as home:
        site = Site(Path(home))
        try:
            site.start()
            return _measure(site, effort)
        finally:
            site.stop()


def _measure(site: Site, effort: Effort) -> dict[str, Any]:
    population = Population(site.bulk())
    traffic = Traffic(population)
    population.add_company(effort.agents)
    few = max(20, effort.agents // 10)
    _load(population, traffic, few, effort, effort.calls // 10)
    site.serve()
    cookies = _cookies(site, population)
    before = {
        (page.viewer, page.name): _queries(site, cookies[page.viewer], page)
        for page in pages_of(population, traffic.long_run)
    }
    started = time.perf_counter()
    _load(population, traffic, effort.agents, effort, effort.calls - effort.calls // 10)
    loaded = time.perf_counter() - started
    rows = []
    for page in pages_of(population, traffic.long_run):
        few_queries = before[page.viewer, page.name]
        rows.append(_row(site, cookies[page.viewer], page, effort, few_queries))
    return {
        "agents": effort.agents,
        "people": len(population.people),
        "usage_rows": population.bulk.rows("SELECT count(*) FROM routing_usageday")[0][0],
        "calls": population.bulk.rows("SELECT count(*) FROM routing_call")[0][0],
        "entries": population.bulk.rows("SELECT count(*) FROM ledger_entry")[0][0],
        "loaded_seconds": round(loaded, 1),
        "limit_ms": LIMIT_MS,
        "pages": rows,
    }


def _load(
    population: Population, traffic: Traffic, agents: int, effort: Effort, calls: int
) -> None:
    after = len(population.agents)
    population.add_agents(agents)
    traffic.add_usage(effort.usage_days, after=after)
    traffic.add_calls(calls)
    sum_all(population.bulk)
    population.bulk.run("VACUUM ANALYZE")


def _cookies(site: Site, population: Population) -> dict[str, str]:
    first, last = population.people[0], population.people[-1]
    cookies = site.sign_in(first, last)
    return {"owner": cookies[first], "governing": cookies[last]}


def _queries(site: Site, cookie: str, page: Page) -> int:
    return in_turn(site.port, cookie, page.address, 1)[0].queries


def _row(site: Site, cookie: str, page: Page, effort: Effort, before: int) -> dict[str, Any]:
    alone = in_turn(site.port, cookie, page.address, effort.sequential)
    crowd, rate = together(site.port, cookie, page.address, effort.together)
    statuses = sorted({visit.status for visit in (*alone, *crowd)})
    row: dict[str, Any] = {
        "viewer": page.viewer,
        "page": page.name,
        "statuses": statuses,
        "kib": round(alone[0].size / 1024, 1),
        "queries": alone[0].queries,
        "queries_at_a_tenth": before,
        "best_ms": round(min(visit.app for visit in alone), 1),
        **_times(alone, ""),
        "cpu_p50_ms": round(median(visit.cpu for visit in alone), 1),
        "db_p50_ms": round(median(visit.db for visit in alone), 1),
        **_times(crowd, "together_"),
        "together_per_second": round(rate, 1),
    }
    row["is_over"] = row["p95_ms"] > LIMIT_MS
    row["grows"] = row["queries"] > before
    if statuses == [200] and (row["is_over"] or row["grows"]):
        row["statements"] = Visitor(site.port, cookie).statements(page.address)
    return row


def _times(visits: list[Visit], prefix: str) -> dict[str, float]:
    spent = sorted(visit.app for visit in visits)
    seen = sorted(visit.client for visit in visits)
    return {
        f"{prefix}p50_ms": round(median(spent), 1),
        f"{prefix}p95_ms": round(spent[round(0.95 * (len(spent) - 1))], 1),
        f"{prefix}client_p95_ms": round(seen[round(0.95 * (len(seen) - 1))], 1),
    }
