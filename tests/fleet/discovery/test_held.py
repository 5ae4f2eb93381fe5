"""Keys that are sealed here: expected in an inventory, news when nobody here holds them."""

from __future__ import annotations

import io
import json
from datetime import timedelta
from typing import Any

import pytest

from credentials.actions import retire_secret, seal_secret
from fleet.discovery.actions.keeping import keep_findings
from fleet.discovery.actions.noting import Noted, note_sightings
from fleet.discovery.models import Evidence, Finding
from fleet.discovery.readers.formats import READERS
from fleet.discovery.readers.tally import Tally
from fleet.discovery.scanning.repositories import read_report
from fleet.discovery.signs import Flag
from kernel import clock
from ledger.models import Entry
from registry.actors import Actor
from routing.models import UsageRoute, Vendor
from tests.factories import Cast, browser_of, make_agent, make_vendor
from tests.fleet.discovery.rows import make_finding
from tests.fleet.discovery.test_noting import report, sighting

pytestmark = pytest.mark.django_db
OURS = "sk-proj-kept-here-0123456789-a9xQ"
SWEEP = Actor.system("discovery")


@pytest.fixture
def vendor(cast: Cast) -> Vendor:
    made = make_vendor("openai", platform="openai", base_url="https://api.openai.com/v1")
    seal_secret(made.ref, OURS, ring="vendor", actor=cast.pat.ref)
    return made


def key(ident: str, shown: str, **over: Any) -> dict[str, Any]:
    given = {
        "object": "organization.project.api_key", "id": ident, "name": ident,
        "redacted_value": shown, "created_at": 1759300000, "owner_project_access": "active",
    }  # fmt: skip
    return given | over


def used(ident: str, requests: int) -> dict[str, Any]:
    now = clock.now()
    return {
        "object": "organization.usage.completions.result", "api_key_id": ident,
        "num_model_requests": requests, "model": "gpt-5",
        "start_time": int((now - timedelta(days=2)).timestamp()), "end_time": int(now.timestamp()),
    }  # fmt: skip


def read(*rows: dict[str, Any]) -> Noted:
    file = io.BytesIO(json.dumps(list(rows)).encode())
    return note_sightings(READERS["openai"](file, Tally()), source="openai", batch="src_1")


def states() -> dict[str, str]:
    rows = Finding.objects.filter(kind="vendor_key")
    return {row.title.removeprefix("OpenAI key "): row.state for row in rows}


def test_what_gateways_use_is_no_news_and_what_nobody_holds_is(vendor: Vendor) -> None:
    noted = read(key("ours", "sk-proj-****a9xQ"), key("theirs", "sk-proj-****77zz"),
                 used("ours", 40), used("theirs", 40))  # fmt: skip
    assert states() == {"ours": "dismissed", "theirs": "new"}
    assert noted.known == 1
    ours = Finding.objects.get(state="dismissed")
    assert ours.reason == "Vendor openai is connected with this key: its calls go through gateways."
    assert Flag.DIRECT not in ours.flags
    assert Entry.objects.filter(verb="finding.dismissed").count() == 1
    # What was compared is kept nowhere: two characters are, as of every key.
    assert "a9xQ" not in str(list(Evidence.objects.values()))
    read(key("ours", "sk-proj-****a9xQ"), used("ours", 45))
    assert states()["ours"] == "dismissed"
    assert Entry.objects.filter(verb__in=["finding.reopened", "finding.dismissed"]).count() == 1


def test_a_key_that_is_replaced_here_and_lives_on_there_is_news(vendor: Vendor, cast: Cast) -> None:
    read(key("ours", "sk-proj-****a9xQ"))
    retire_secret(vendor.ref, actor=cast.pat.ref, reason="rotated")
    keep_findings(actor=SWEEP)
    assert states() == {"ours": "new"}


def test_a_key_of_ours_that_stands_in_code_is_news(vendor: Vendor) -> None:
    read(key("ours", "sk-proj-****a9xQ"))
    note_sightings(read_report(report()), source="report", batch="expense")
    found = Finding.objects.get(kind="vendor_key")
    assert (found.state, {Flag.HELD, Flag.HARD_CODED} <= set(found.flags)) == ("new", True)


def test_a_key_of_ours_that_is_used_elsewhere_too_is_news(vendor: Vendor) -> None:
    today = clock.now().date()
    UsageRoute.objects.create(day=today, route="r", vendor="openai", model="gpt-5", calls=1000)
    read(key("ours", "sk-proj-****a9xQ"), used("ours", 1100))
    assert states() == {"ours": "dismissed"}
    read(key("ours", "sk-proj-****a9xQ"), used("ours", 9000))
    found = Finding.objects.get()
    assert (found.state, Flag.ELSEWHERE in found.flags) == ("new", True)
    assert found.risk_parts[0]["points"] == 30


@pytest.mark.parametrize(
    "rows",
    [
        [key("a", "sk-proj-****a9xQ"), key("b", "sk-****a9xQ")],  # two end alike
        [key("a", "sk-proj-****xQ")],  # too little is shown
        [key("a", "")],
        [key("a", "a9xQ")],  # it is not masked, so it is no key
    ],
)
def test_what_could_be_another_key_is_not_taken_for_ours(
    vendor: Vendor, rows: list[dict[str, Any]]
) -> None:
    read(*rows)
    assert set(states().values()) == {"new"}


def test_another_vendors_key_that_ends_alike_is_not_ours(cast: Cast) -> None:
    other = make_vendor("groq", platform="groq", dialect="openai")
    seal_secret(other.ref, OURS, ring="vendor", actor=cast.pat.ref)
    read(key("a", "sk-proj-****a9xQ"))
    assert states() == {"a": "new"}


def test_a_clock_that_is_ahead_does_not_keep_a_thing_seen(cast: Cast) -> None:
    far = clock.now() + timedelta(days=9000)
    note_sightings([sighting(seen_from=far, seen_to=far)], source="squid", batch="b")
    assert Finding.objects.get().last_seen_at <= clock.now()


def test_an_agents_page_shows_what_was_found_of_it_to_who_answers(cast: Cast) -> None:
    agent = make_agent("expense", owner=cast.alice, backup_owner=cast.bob, stage="live")
    finding = make_finding(
        "git.acme.test/fin/expense", kind="repository", state="merged", agent=agent,
        settled_at=clock.now(), retiring_model="gpt-5",
        retires_on=clock.now().date() + timedelta(days=19),
    )  # fmt: skip
    day = f"{finding.retires_on:%-d %B %Y}"
    page = browser_of(cast.alice).get("/agents/expense/").content.decode()
    assert f"this repository breaks on {day}, when gpt-5 ends" in page
    here = f"/unregistered/{finding.public_id}/"
    assert f"This repository breaks on {day}" in browser_of(cast.bob).get(here).content.decode()
    assert "Found outside" not in browser_of(cast.mallory).get("/agents/expense/").content.decode()
    assert browser_of(cast.mallory).get(here).status_code == 404
    Finding.objects.update(retires_on=clock.now().date() - timedelta(days=3))
    page = browser_of(cast.alice).get("/agents/expense/").content.decode()
    assert "this repository broke on" in page


def test_a_findings_page_says_what_each_source_says(vendor: Vendor, cast: Cast) -> None:
    read(key("ours", "sk-proj-****a9xQ", name="nightly job"))
    found = Finding.objects.get()
    page = browser_of(cast.sam).get(f"/unregistered/{found.public_id}/").content.decode()
    assert "nightly job" in page
    assert "Held here for vendor" in page
