"""Trials from outside: REST, pages, the table, and who may."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from policy.bundle import BASE
from policy.engine import Judge
from registry.actors import Actor
from rules.actions.adding import add_bundle, read_directory
from rules.models import Bundle, Trial
from rules.trying.making import try_bundles
from tests.factories import Cast, browser_of, client_of, make_agent, make_cast
from tests.rules.decisions import call_facts, put_calls

pytestmark = [pytest.mark.django_db, pytest.mark.xdist_group("trials")]


@pytest.fixture(scope="module")
def judge() -> Iterator[Judge]:
    with Judge(deadline_seconds=20) as one:
        yield one


@pytest.fixture
def cast() -> Cast:
    return make_cast()


@pytest.fixture
def bundle(cast: Cast, tmp_path: Path) -> Bundle:
    directory = tmp_path / "stricter"
    shutil.copytree(BASE, directory)
    document = json.loads((BASE / "data.json").read_bytes())
    document["settings"]["vendors"]["refused"] = ["acme"]
    (directory / "data.json").write_text(json.dumps(document))
    sam = Actor.of(cast.sam)
    return add_bundle(read_directory(directory), title="No acme", origin="uploaded", actor=sam)


@pytest.fixture
def past(cast: Cast, judge: Judge) -> Any:
    agent = make_agent("sorter", owner=cast.alice, backup_owner=cast.bob, stage="live")
    put_calls([(call_facts(), 4)], judge, agent_id=agent.public_id, stream="run_a")
    put_calls(
        [(call_facts(agent_stage="draft"), 2), (call_facts(target_vendor="globex"), 5)],
        judge,
        stream="run_b",
    )
    return agent


def carry_out() -> None:
    try_bundles(actor=Actor.system("policy-trials"))


def test_a_trial_is_asked_for_watched_and_read(cast: Cast, bundle: Bundle, past: Any) -> None:
    client = client_of(cast.sam)
    place = f"/api/v1/policies/{bundle.public_id}/trials"
    asked = client.post(place, {"days": 7}, format="json")
    assert asked.status_code == 202
    one = asked["Location"]
    assert one == f"{place}/{asked.json()['id']}"
    assert (asked.json()["state"], asked.json()["percent"]) == ("waiting", 0)
    assert client.post(place, format="json").json()["code"] == "rules.trial_under_way"
    carry_out()
    found = client.get(one).json()
    assert (found["state"], found["percent"], found["decisions"]) == ("ready", 100, 11)
    assert found["counts"]["stricter"] == 4
    assert found["counts"]["identical"] == found["counts"]["checked"] == 11
    (change,) = client.get(f"{one}/changes").json()["results"]
    assert (change["agent"], change["owner"]) == (past.public_id, cast.alice.public_id)
    assert (change["rule"], change["new_rule"]) == ("calls.allowed", "calls.vendor_refused")
    assert [each["id"] for each in client.get(place).json()["results"]] == [found["id"]]


def test_changes_are_narrowed_by_agent_owner_rule_and_direction(
    cast: Cast, bundle: Bundle, past: Any
) -> None:
    client = client_of(cast.pat)
    place = f"/api/v1/policies/{bundle.public_id}/trials"
    one = client.post(place, format="json")["Location"]
    carry_out()

    def count(query: str) -> int:
        return len(client.get(f"{one}/changes?{query}").json()["results"])

    for fitting in (
        "agent=sorter", f"agent={past.public_id}", "owner=alice@acme.test", "found=stricter",
        "rule=calls.vendor_refused", "search=vendor",
    ):  # fmt: skip
        assert count(fitting) == 1, fitting
    for other in ("agent=other", "owner=bob@acme.test", "found=looser", "rule=calls.stage"):
        assert count(other) == 0, other


def test_the_table_has_a_line_for_each_changed_question(
    cast: Cast, bundle: Bundle, past: Any
) -> None:
    client = client_of(cast.ann)
    place = f"/api/v1/policies/{bundle.public_id}/trials"
    one = client_of(cast.sam).post(place, format="json")["Location"]
    carry_out()
    answer = client.get(f"{one}/file")
    assert answer["Content-Type"].startswith("text/csv")
    lines = list(csv.DictReader(b"".join(answer).decode().splitlines()))
    assert [line["decisions"] for line in lines] == ["4"]
    assert lines[0]["new_rule"] == "calls.vendor_refused"


def test_employees_see_no_trial_and_auditors_ask_for_none(cast: Cast, bundle: Bundle) -> None:
    place = f"/api/v1/policies/{bundle.public_id}/trials"
    one = client_of(cast.sam).post(place, format="json")["Location"]
    for address in (place, one, f"{one}/changes", f"{one}/file"):
        assert client_of(cast.mallory).get(address).status_code == 403
        assert client_of(cast.ann).get(address).status_code == 200
    assert client_of(cast.ann).post(place, format="json").status_code == 403
    assert client_of(cast.ann).delete(one).status_code == 403
    assert client_of(cast.pat).delete(one).json()["state"] == "cancelled"
    assert client_of(cast.pat).delete(one).json()["code"] == "rules.trial_over"


@pytest.mark.parametrize("days", [0, -1, 401, "many", None])
def test_days_that_cannot_be_are_refused(cast: Cast, bundle: Bundle, days: Any) -> None:
    place = f"/api/v1/policies/{bundle.public_id}/trials"
    assert client_of(cast.sam).post(place, {"days": days}, format="json").status_code == 422
    assert not Trial.objects.exists()


def test_a_trial_of_another_bundle_is_not_found_here(cast: Cast, bundle: Bundle) -> None:
    one = client_of(cast.sam).post(
        f"/api/v1/policies/{bundle.public_id}/trials", format="json"
    ).json()["id"]  # fmt: skip
    answer = client_of(cast.sam).get(f"/api/v1/policies/pol_other/trials/{one}")
    assert answer.json()["code"] == "rules.trial_not_found"


def test_the_page_shows_how_far_it_is_and_then_what_would_change(
    cast: Cast, bundle: Bundle, past: Any
) -> None:
    browser = browser_of(cast.sam)
    place = f"/policies/{bundle.public_id}/trials/"
    assert "Not tried yet" in browser.get(place).content.decode()
    made = browser.post(f"{place}new/", {"days": "14"})["Location"]
    waiting = browser.get(made).content.decode()
    assert "every 2s" in waiting
    assert "Cancel it" in waiting
    carry_out()
    page = browser.get(made).content.decode()
    assert "every 2s" not in page
    assert "11 of 11 identical" in page
    assert "calls.vendor_refused" in page
    assert "split-bar" in page
    assert "sorter" in page
    assert "Alice" in page
    assert "No change fits" in browser.get(f"{made}?found=looser").content.decode()
    assert "calls.vendor_refused" in browser.get(f"{made}?found=stricter").content.decode()
    assert b"calls.vendor_refused" in b"".join(browser.get(f"{made}file/"))


def test_a_trial_is_cancelled_from_its_page(cast: Cast, bundle: Bundle) -> None:
    browser = browser_of(cast.pat)
    made = browser.post(f"/policies/{bundle.public_id}/trials/new/", {"days": "x"})["Location"]
    browser.post(f"{made}cancel/")
    assert Trial.objects.get().state == "cancelled"
    assert Trial.objects.get().days == 30
    assert "cancelled" in browser.get(made).content.decode()
