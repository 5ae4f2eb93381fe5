"""How long the inbox of reviews takes while thousands of questions are open.

Everything is put to one decider: the worst case, for each has to be held against what bars them
from it. Through real HTTP to one web process, as a signed-in person reads it.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

from bench.effort import Effort
from bench.portal.company import Shape
from bench.portal.population import Population
from bench.portal.site import Site
from bench.portal.visits import Visit, in_turn, together
from kernel.refs import new_id

LIMIT_MS: Final = 150.0
OPEN: Final = {"full": 10_000, "quick": 2_000, "tiny": 100}
AGENTS: Final = {"full": 1_000, "quick": 200, "tiny": 40}
_OPERATIONS: Final = ("erp.post-entry", "crm.add-note", "mail.send", "billing.refund")
_ADDRESSES: Final = {
    "waiting": "/reviews/?show=waiting",
    "waiting, of a kind": "/reviews/?show=waiting&kind=proposal",
    "waiting, search": "/reviews/?show=waiting&search=billing",
    "waiting, ends in a day": "/reviews/?show=waiting&ends=day",
    "all": "/reviews/?show=all",
    "anything new?": "/reviews/fresh/?seen=rev_0",
    "another page, with the number that waits": "/account/",
}


def measure(effort: Effort) -> dict[str, Any]:
    """Put the questions, serve the portal, read the inbox."""
    with tempfile.TemporaryDirectory(prefix="unsprawl-bench-") as home:
        site = Site(Path(home))
        try:
            site.start()
            population = Population(site.bulk())
            population.add_company(AGENTS[effort.name])
            population.add_agents(AGENTS[effort.name])
            _put_questions(population, OPEN[effort.name])
            population.bulk.run("VACUUM ANALYZE")
            site.serve()
            decider = population.people[-1]
            cookie = site.sign_in(decider)[decider]
            rows = [_row(site, cookie, name, effort) for name in _ADDRESSES]
        finally:
            site.stop()
    return {"open": OPEN[effort.name], "limit_ms": LIMIT_MS, "pages": rows}


def _put_questions(population: Population, number: int) -> None:
    population.bulk.copy(
        "approvals_review",
        ("id", "public_id", "kind", "subject", "subject_name", "digest", "question", "evidence",
         "requester_id", "excluded", "audience", "quorum", "asked_by", "about_agent", "operation",
         "stakes", "escalate_to", "state", "created_at", "expires_at"),
        _questions(population, number),
    )  # fmt: skip


def _questions(population: Population, number: int) -> Iterator[tuple[Any, ...]]:
    first = 10 * len(population.agents)  # beyond the ids of the agents' own reviews
    for n in range(number):
        agent = n % len(population.agents)
        owner, name = population.owner_of(agent), Shape(agent).name
        operation = _OPERATIONS[n % len(_OPERATIONS)]
        asked_at = population.now - timedelta(hours=n % 70, seconds=n % 3600)
        yield (
            first + n, new_id("rev"), "proposal", f"proposal:{new_id('prp')}", name,
            f"sha256:{n:064x}", f"May {name} do {operation}?",
            json.dumps({"operation": operation, "arguments": 3}), owner + 1,
            [population.people[owner]], ["role:security"], 1 + n % 2,
            f"agent:{population.agents[agent]}", population.agents[agent], operation,
            "high" if n % 4 == 3 else "usual", [], "open", asked_at,
            asked_at + timedelta(hours=72),
        )  # fmt: skip


def _row(site: Site, cookie: str, name: str, effort: Effort) -> dict[str, Any]:
    alone = in_turn(site.port, cookie, _ADDRESSES[name], effort.sequential)
    crowd, rate = together(site.port, cookie, _ADDRESSES[name], effort.together)
    return {
        "name": name,
        "statuses": sorted({visit.status for visit in (*alone, *crowd)}),
        "queries": alone[0].queries,
        "p50_ms": _part(alone, 0.5),
        "p95_ms": _part(alone, 0.95),
        "cpu_p50_ms": sorted(visit.cpu for visit in alone)[len(alone) // 2],
        "db_p50_ms": sorted(visit.db for visit in alone)[len(alone) // 2],
        "together_p95_ms": _part(crowd, 0.95),
        "together_per_second": round(rate, 1),
    }


def _part(visits: list[Visit], part: float) -> float:
    """Return the time, as the client saw it, that so many of the visits stayed within."""
    ordered = sorted(visit.client for visit in visits)
    return round(ordered[round(part * (len(ordered) - 1))], 1)
