from __future__ import annotations

from typing import Any

import pytest

from registry.manifest import manifest_of
from registry.models import Agent
from registry.similarity import THRESHOLD, Similar, similar_to
from tests.factories import Cast, make_agent, make_manifest

# Ten agents of one company; the pairs below do the same thing.
FLEET = {
    "invoice-sorter": ("Invoice sorter", "Sorts supplier invoices by cost centre."),
    "supplier-bills": ("Supplier invoice sorting", "Sorts invoices of suppliers by cost centre."),
    "variance-report": ("Variance reporter", "Writes the monthly variance report."),
    "monthly-variances": ("Monthly variance report", "Explains monthly variances to finance."),
    "blog-writer": ("Blog writer", "Drafts posts for the company blog from product notes."),
    "cv-screener": ("CV screener", "Reads applications for the must-haves of a job."),
    "ticket-router": ("Ticket router", "Routes support tickets to the right queue."),
    "support-triage": ("Support ticket triage", "Support tickets: right queue, right priority."),
    "contract-reader": ("Contract reader", "Extracts dates and parties from contracts."),
    "meeting-notes": ("Meeting notes", "Summarises meetings and lists the decisions."),
}  # fmt: skip
PAIRS = (
    ("invoice-sorter", "supplier-bills"),
    ("variance-report", "monthly-variances"),
    ("ticket-router", "support-triage"),
)


def document(name: str, title: str, description: str, **spec: Any) -> dict[str, Any]:
    made = make_manifest(name, **spec)
    made["metadata"] |= {"title": title, "description": description}
    return made


def compare(name: str, title: str, description: str, **spec: Any) -> dict[str, Similar]:
    manifest = manifest_of(document(name, title, description, **spec))
    return {each.agent.name: each for each in similar_to(manifest, team=None)}


@pytest.fixture
def fleet(cast: Cast) -> None:
    for name, (title, text) in FLEET.items():
        make_agent(name, owner=cast.alice, manifest=document(name, title, text))


@pytest.mark.usefixtures("fleet")
@pytest.mark.parametrize(("one", "other"), PAIRS)
def test_an_agent_that_does_the_same_comes_first(one: str, other: str) -> None:
    found = compare(f"{one}-2", *FLEET[one])
    assert list(found)[:2] == [one, other]


@pytest.mark.usefixtures("fleet")
@pytest.mark.parametrize("name", ["blog-writer", "cv-screener", "contract-reader", "meeting-notes"])
def test_an_agent_that_nobody_else_has_resembles_itself_only(name: str) -> None:
    assert list(compare(f"{name}-2", *FLEET[name])) == [name]


def test_the_same_words_are_said_to_be_the_same(cast: Cast) -> None:
    make_agent("a1", owner=cast.alice, manifest=document("a1", "Invoice sorter", "Sorts invoices."))
    found = compare("b2", "Invoice sorter", "Sorts invoices.")["a1"]
    assert found.score >= 0.9
    assert found.reasons[:2] == ["titles the same", "descriptions the same"]


def test_shared_tools_are_a_reason_and_enough_of_one_with_a_team(cast: Cast) -> None:
    agent = make_agent("a1", owner=cast.alice, tags=["finance"], tools=["jira", "sap"])
    manifest = document(
        "zz", "Quite other", "Nothing alike.", tools=[{"name": "jira"}, {"name": "sap"}]
    )
    manifest["metadata"]["tags"] = ["finance"]
    [found] = similar_to(manifest_of(manifest), team=cast.finance)
    assert found.agent == agent
    assert found.reasons == [
        "same tools: jira, sap",
        "same tag: finance",
        "same data class: internal",
        "same team: finance",
    ]


def test_team_route_and_data_class_alone_make_nothing_similar(cast: Cast) -> None:
    route = [{"alias": "a", "route": "classify-invoice"}]
    made = make_manifest("a1", models=route)
    made["metadata"] |= {"tags": ["finance"]}
    make_agent("a1", owner=cast.alice, manifest=made, tags=["finance"])
    other = document("zz", "Quite other", "Nothing alike.", models=route)
    other["metadata"]["tags"] = ["finance"]
    assert similar_to(manifest_of(other), team=cast.finance) == []


def test_retired_agents_and_the_agent_itself_are_left_out(cast: Cast) -> None:
    words = ("Invoice sorter", "Sorts invoices.")
    make_agent("old", owner=cast.alice, manifest=document("old", *words), stage="retired")
    own = make_agent("own", owner=cast.alice, manifest=document("own", *words))
    manifest = manifest_of(document("own", *words))
    assert similar_to(manifest, team=None, but=own) == []


def test_five_at_most_are_shown_the_closest_first_each_above_the_threshold(cast: Cast) -> None:
    for number in range(8):
        name = f"sorter-{number}"
        make_agent(
            name, owner=cast.alice, manifest=document(name, f"Invoice sorter {number}", "Sorts.")
        )
    scores = [each.score for each in compare("mine", "Invoice sorter 3", "Sorts.").values()]
    assert len(scores) == 5
    assert scores == sorted(scores, reverse=True)
    assert all(THRESHOLD <= score <= 1 for score in scores)


def test_everybodys_sandbox_is_no_reason(cast: Cast) -> None:
    make_agent("a1", owner=cast.alice, manifest=document("a1", "Invoice sorter", "Sorts invoices."))
    reasons = compare("b2", "Invoice sorter", "Sorts invoices.")["a1"].reasons
    assert not [reason for reason in reasons if "route" in reason]
    assert Agent.objects.get().routes == ["sandbox"]
