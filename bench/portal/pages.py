"""Which pages are measured, and as whom."""

from __future__ import annotations

import json
from base64 import urlsafe_b64encode
from dataclasses import dataclass

from bench.portal.company import Shape
from bench.portal.population import Population


@dataclass(frozen=True, slots=True)
class Page:
    """One address under the name that tables give it."""

    viewer: str  # governing or owner
    name: str
    address: str


def pages_of(population: Population, long_run: str) -> list[Page]:
    """Return the pages of a populated portal, those who govern first."""
    # The long run belongs to the first agent that may call; its owner is who looks.
    mine = next(n for n in range(len(population.agents)) if Shape(n).is_callable)
    agent, run = f"/agents/{Shape(mine).name}/", f"/runs/{long_run}/"
    deep = f"/agents/?cursor={_deep_cursor(population)}"
    governing = {
        "home": "/",
        "agents": "/agents/",
        "agents, search": "/agents/?search=invoice+emea",
        "agents, search for one": f"/agents/?search={Shape(mine).name}",
        "agents, search for none": "/agents/?search=zebra",
        "agents, filter": "/agents/?stage=live&team=team-07",
        "agents, deep cursor": deep,
        "agents, by owner": "/agents/?ordering=owner",
        "agents, by calls": "/agents/?ordering=-calls",
        "agents, by cost": "/agents/?ordering=-cost",
        "agent": agent,
        "agent, calls": f"{agent}calls/",
        "agent, history": f"{agent}history/",
        "agent, versions": f"{agent}versions/",
        "reviews, waiting": "/reviews/?show=waiting",
        "reviews, all": "/reviews/?show=all",
        "reviews, search": "/reviews/?show=all&search=invoice",
        "runs": "/runs/",
        "runs, of an agent": f"/runs/?agent={Shape(mine).name}",
        "runs, search": "/runs/?search=invoice",
        "runs, failed": "/runs/?outcome=failed",
        "run, 500 calls": run,
        "run, record": f"{run}record/",
        "models": "/models/",
        "catalogue": "/models/catalogue/",
        "vendors": "/vendors/",
        "routes": "/routes/",
        "people": "/people/",
    }
    chosen = (
        "home", "agents", "agents, search", "agents, filter", "agents, deep cursor",
        "agents, by cost", "agent", "agent, calls", "reviews, all", "runs", "runs, search",
        "run, 500 calls", "models", "routes",
    )  # fmt: skip
    owner = {name: governing[name] for name in chosen} | {"agents, mine": "/agents/?owner=mine"}
    return [Page("governing", *each) for each in governing.items()] + [
        Page("owner", *each) for each in owner.items()
    ]


def _deep_cursor(population: Population) -> str:
    """The cursor nine tenths down the list, as a page's link would hold it (`kernel.pages`)."""
    title, public_id = population.bulk.rows(
        "SELECT lower(title), public_id FROM registry_agent ORDER BY 1, 2 OFFSET %s LIMIT 1",
        len(population.agents) * 9 // 10,
    )[0]
    text = json.dumps([0, title, public_id], separators=(",", ":"))
    return urlsafe_b64encode(text.encode()).decode().rstrip("=")
