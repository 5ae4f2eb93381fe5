"""The page that searches runs: what it takes, what it tells, and the list as a file."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, datetime

import pytest

from registry.models import Person
from tests.factories import browser_of, make_agent, make_call, make_cast, make_run

pytestmark = pytest.mark.django_db
BEGAN = datetime(2026, 11, 20, 22, 30, tzinfo=UTC)


@pytest.fixture
def cast():
    return make_cast()


@pytest.fixture
def agent(cast):
    return make_agent("sorter", owner=cast.alice, stage="live")


@pytest.fixture
def runs(agent):
    made = {}
    for label, status, cost in (("good", "ok", 250_000), ("bad", "error", 0), ("no", "denied", 0)):
        made[label] = make_run(agent, label, started_at=BEGAN)
        make_call(
            agent, run_id=made[label].run_id, status=status, cost_micros=cost, started_at=BEGAN,
            duration_ms=2000,
        )  # fmt: skip
    return made


def shown(browser, runs, **asked):
    page = browser.get("/runs/", asked).content.decode()
    return [label for label, run in runs.items() if f"/runs/{run.run_id}/" in page]


@pytest.mark.parametrize(
    ("asked", "labels"),
    [
        ({"cost_from": "0.2"}, ["good"]),
        ({"cost_to": "0.1"}, ["bad", "no"]),
        ({"took_from": "3"}, []),
        ({"took_to": "2"}, ["good", "bad", "no"]),
        ({"has": "denied"}, ["no"]),
        ({"agent": "sorter", "outcome": "failed"}, ["bad"]),
        ({"owner": "alice@acme.test", "team": "finance", "outcome": "clean"}, ["good"]),
    ],
)
def test_the_page_searches_by_what_its_form_says(cast, runs, asked, labels):
    assert shown(browser_of(cast.sam), runs, **asked) == labels


def test_times_are_read_in_the_zone_of_the_person(cast, runs):
    Person.objects.filter(pk=cast.sam.pk).update(time_zone="Asia/Tokyo")
    sam = browser_of(cast.sam)
    # 22:30 in UTC is 07:30 of the next day in Tokyo.
    assert shown(sam, runs, since="2026-11-21T07:00") == ["good", "bad", "no"]
    assert shown(sam, runs, since="2026-11-21T08:00") == []
    assert shown(sam, runs, until="2026-11-21T07:00") == []


def test_what_cannot_be_read_is_said_and_left_out(cast, runs):
    sam = browser_of(cast.sam)
    page = sam.get("/runs/", {"cost_from": "much", "state": "late", "outcome": "failed"})
    assert "Enter a number." in page.content.decode()
    assert shown(sam, runs, cost_from="much", outcome="failed") == ["bad"]


def test_a_run_whose_calls_were_denied_is_not_called_clean(cast, runs):
    page = browser_of(cast.sam).get("/runs/", {"search": "no"}).content.decode()
    row = page[page.index(f"/runs/{runs['no'].run_id}/") :]
    row = row[: row.index("</tr>")]
    assert "Denied" in row
    assert "1 denied of 1 call" in row
    assert "Clean" not in row


def test_the_search_is_given_as_a_file(cast, agent, runs):
    make_call(agent, run_id=make_run(agent, "=1+1", started_at=BEGAN).run_id)
    sam = browser_of(cast.sam)
    answer = sam.get("/runs.csv", {"ordering": "began"})
    assert answer["Cache-Control"] == "no-store"
    rows = list(csv.DictReader(io.StringIO(answer.getvalue().decode())))
    assert {row["label"] for row in rows} == {"good", "bad", "no", "'=1+1"}
    assert {row["outcome"] for row in rows if row["label"] == "bad"} == {"failed"}
    found = json.loads(sam.get("/runs.json", {"outcome": "denied"}).getvalue())
    assert [run["label"] for run in found] == ["no"]
    assert sam.get("/runs.xml").status_code == 404
    assert browser_of(cast.mallory).get("/runs.json").getvalue() == b"[\n]\n"


def test_an_empty_list_says_what_to_do(cast):
    sam = browser_of(cast.sam)
    assert "No runs yet" in sam.get("/runs/").content.decode()
    assert "No run fits" in sam.get("/runs/", {"search": "nothing"}).content.decode()
