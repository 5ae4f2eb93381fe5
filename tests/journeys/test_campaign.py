"""The outcome of a retirement, end to end: a vendor names a day, and on it nothing breaks.

A company of agents calls a model by its route, by an alias and as a fallback. Its vendor says in
its own list when the model ends. From there on everything is the service's: the campaign, the
evaluation against a real llama.cpp server, the signatures, the canary, the day itself.
``UNSPRAWL_SOAK_AGENTS`` says how many agents (`make soak`: 200).
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pytest

from tests.journeys.company import (
    MODEL,
    Callers,
    Company,
    RetiringVendor,
    found_company,
    portal_of,
)
from tests.journeys.conftest import Caller, Service
from tests.journeys.tiny_model import MODEL_NAME as CANDIDATE

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("journeys")]

AGENTS: Final = int(os.environ.get("UNSPRAWL_SOAK_AGENTS", "6"))
RUNS: Final = 20
# Twenty runs prove no more than this; how long an answer takes beside other tests proves nothing.
CRITERIA: Final = {
    "least_runs": RUNS, "failures_margin": 0.2, "refusals_margin": 0.2, "latency_ratio": 100.0,
}  # fmt: skip
PATIENCE: Final = 60 + 10 * AGENTS
OVER: Final = {"done", "paused", "unneeded"}


@pytest.fixture(scope="module")
def vendor() -> Iterator[RetiringVendor]:
    with RetiringVendor().serving() as serving:
        yield serving


@pytest.fixture(scope="module")
def company(service: Service, vendor: RetiringVendor, llama: str) -> Company:
    return found_company(service, vendor, llama, AGENTS)


def until(what: str, holds: Callable[[], Any], rung: Callable[[], None]) -> Any:
    """Wait until something holds, ringing its sweep as the beat does."""
    deadline = time.monotonic() + PATIENCE
    while not (found := holds()):
        assert time.monotonic() < deadline, what
        rung()
        time.sleep(0.5)
    return found


def listed(caller: Caller, path: str) -> list[dict[str, Any]]:
    """Return every row of a list, page by page."""
    found: list[dict[str, Any]] = []
    following = f"{path}?page_size=200"
    while following:
        page = caller.must("GET", following)
        found += page["results"]
        following = (page["next"] or "").partition("/api/v1/")[2]
    return found


def in_days(number: int) -> str:
    return (datetime.now(UTC) + timedelta(days=number)).date().isoformat()


def test_a_model_retires_and_nothing_breaks(company: Company, vendor: RetiringVendor) -> None:
    _work(company)
    campaign, moves = _announced(company, vendor)
    _tested(company, campaign, moves)
    with Callers(company) as callers:
        cutover = _moved(company, campaign, vendor, callers)
    assert callers.made > AGENTS
    assert callers.failed == []
    _over(company, campaign, vendor)
    _asked_for_nothing(company, vendor)
    settled = company.admin.must("POST", f"cutovers/{cutover}/settle", {})
    assert settled["state"] == "settled", settled
    _asked_for_nothing(company, vendor)
    assert company.service.manage("verify").returncode == 0


def _work(company: Company) -> None:
    """Have every agent do what it does, on the model that will end."""
    labels = [(agent, f"work-{number}") for agent in company.agents for number in range(RUNS)]
    with ThreadPoolExecutor(12) as threads:
        answers = list(threads.map(lambda one: one[0].ask(one[1]), labels))
    assert {answer.status_code for answer in answers} == {200}
    assert {answer.headers["x-unsprawl-model"] for answer in answers} == {MODEL}


def _announced(company: Company, vendor: RetiringVendor) -> tuple[str, list[dict[str, Any]]]:
    """Let the vendor name a day: a campaign opens by itself, with every agent that is concerned."""
    for sweep in ("routing.count_usage", "routing.sum_runs"):
        company.ring(sweep)
    vendor.ends_on = in_days(19)
    company.admin.must("POST", "vendors/retiring-ai/listing", {})
    (campaign,) = until(
        "a campaign opens",
        lambda: [one for one in listed(company.admin, "campaigns") if one["name"].endswith(MODEL)],
        lambda: company.ring("campaigns.follow"),
    )
    assert campaign["due_on"] == in_days(19)
    address = f"campaigns/{campaign['id']}/moves"

    moves = listed(company.admin, address)
    assert {move["agent"] for move in moves} == {agent.name for agent in company.agents}
    assert {way for move in moves for way in move["ways"]} >= {"route", "alias", "fallback"}
    assert all(move["owner"] in company.owners for move in moves)
    return str(campaign["id"]), moves


def _tested(company: Company, campaign: str, moves: Sequence[dict[str, Any]]) -> None:
    """Let owners choose the local model; it is asked what the agents asked, and passes."""
    for agent in company.agents:
        company.admin.must("PUT", f"agents/{agent.name}/evaluation-criteria", CRITERIA)
    for move in moves:
        owner = company.owners[move["owner"]]
        chosen = owner.must(
            "POST", f"campaigns/{campaign}/moves/{move['id']}/choose", {"model": company.candidate}
        )
        assert chosen["state"] == "evaluating", chosen

    def all_ready() -> bool:
        states = {move["state"] for move in listed(company.admin, f"campaigns/{campaign}/moves")}
        assert states <= {"evaluating", "ready"}, _told(company)
        return states == {"ready"}

    def rung() -> None:
        company.ring("evaluations.carry_out_waiting")
        company.ring("campaigns.advance")

    until("every move is ready", all_ready, rung)


def _moved(company: Company, campaign: str, vendor: RetiringVendor, callers: Callers) -> str:
    """Press the button, sign, and go by 1, 10, 50 and 100 % while agents go on calling."""
    moves = listed(company.admin, f"campaigns/{campaign}/moves")
    portal_of(company).press(
        f"/campaigns/{campaign}/group/",
        do="move", sure="yes", move=[move["id"] for move in moves],
    )  # fmt: skip
    (cutover,) = {move["cutover"] for move in listed(company.admin, f"campaigns/{campaign}/moves")}
    assert cutover
    address = f"cutovers/{cutover}"
    for owner in company.owners.values():
        owner.must("POST", f"{address}/sign", {"digest": owner.must("GET", address)["digest"]})
    review = company.admin.must("GET", address)["security_review"]
    company.guard.must(
        "POST", f"reviews/{review}/decisions", {"decision": "approve", "comment": "Looked at."}
    )
    for percent in (1, 10, 50, 100):
        now = company.admin.must("GET", address)
        assert (now["state"], now["percent"]) == ("running", percent), now
        callers.go_on(AGENTS)
        company.admin.must("POST", f"{address}/advance", {"reason": "Nothing failed."})
    assert company.admin.must("GET", address)["state"] == "done"
    callers.go_on(AGENTS)
    before = vendor.asked
    callers.go_on(2 * AGENTS)
    assert vendor.asked == before, "something calls the model still"
    until(
        "every move is done",
        lambda: (
            {move["state"] for move in listed(company.admin, f"campaigns/{campaign}/moves")}
            == {"done"}
        ),
        lambda: company.ring("campaigns.advance"),
    )
    return str(cutover)


def _over(company: Company, campaign: str, vendor: RetiringVendor) -> None:
    """Let the day come, sooner than it was said, and the vendor refuse whoever still asks."""
    vendor.ends_on, vendor.is_over = in_days(0), True
    company.admin.must("POST", "vendors/retiring-ai/listing", {})

    def rung() -> None:
        company.ring("campaigns.follow")
        company.ring("campaigns.carry_out_rules")

    ended = until(
        "the campaign ends",
        lambda: [
            one for one in listed(company.admin, "campaigns")
            if one["id"] == campaign and one["state"] == "done"
        ],
        rung,
    )  # fmt: skip
    assert ended[0]["due_on"] == in_days(0)
    named = company.admin.must("GET", f"models/{company.source}")
    assert named["disabled_at"], named


def _asked_for_nothing(company: Company, vendor: RetiringVendor) -> None:
    """Have every agent call once more: all are answered, and the vendor hears of none."""
    before = vendor.asked
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda agent: agent.ask("work-0"), company.agents))
    told = {(one.status_code, one.headers.get("x-unsprawl-model")) for one in answers}
    assert told == {(200, CANDIDATE)}
    assert vendor.asked == before


def _told(company: Company) -> list[Any]:
    """Say what evaluations came to, where one did not pass."""
    rows = listed(company.admin, "evaluations")
    return [company.admin.must("GET", f"evaluations/{one['id']}")["candidates"] for one in rows[:3]]
