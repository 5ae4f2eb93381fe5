"""The retirement calendar: what ends when, for whom, as a page, a file and JSON."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from django.test import Client

from fleet.campaigns.queries.calendar import Asked, End, ends_for
from kernel import clock
from routing.actions.catalogue import load_shipped_catalogue
from routing.actions.models import ModelDraft, add_models
from routing.models import Model
from tests import factories
from tests.factories import (
    Cast,
    actor,
    client_of,
    make_agent,
    make_cast,
    make_model,
    make_route,
    make_vendor,
    operator,
)

pytestmark = pytest.mark.django_db
TODAY = datetime(2026, 11, 22, 9, tzinfo=UTC)


@pytest.fixture(autouse=True)
def today(monkeypatch):
    monkeypatch.setattr(clock, "now", lambda: TODAY)
    # Whether a token holds still is for the database's clock to say, which nobody holds.
    monkeypatch.setattr(factories, "LONG", timedelta(days=36_500))


@pytest.fixture
def cast() -> Cast:
    return make_cast()


@pytest.fixture
def shipped(cast: Cast) -> Cast:
    load_shipped_catalogue(actor=operator())
    for platform, names in {
        "openai": ("gpt-5", "gpt-5-mini", "gpt-4o-2024-08-06"),
        "anthropic": ("claude-sonnet-4-5",),
        "gemini": ("gemini-2.5-pro",),
        "bedrock": ("anthropic.claude-sonnet-4-5-20250929-v1:0",),
    }.items():
        make_vendor(platform, platform=platform)
        add_models(platform, [ModelDraft(name) for name in names], actor=actor(cast.pat))
    return cast


def by_name(ends: list[End]) -> dict[str, End]:
    return {end.name: end for end in ends}


def browser(person) -> Client:
    client = Client()
    client.force_login(person)
    return client


def test_the_deadlines_of_these_weeks_stand_in_it_the_soonest_first(shipped):
    ends = ends_for(actor(shipped.alice), Asked())
    assert [(end.name, end.days_left) for end in ends] == [
        ("claude-sonnet-4-5", 8),
        ("gemini-2.5-pro", 9),
        ("gpt-5", 19),
        ("gpt-5-mini", 19),
        ("gpt-4o-2024-08-06", 53),
        ("anthropic.claude-sonnet-4-5-20250929-v1:0", 137),
    ]
    found = by_name(ends)
    assert found["gpt-5"].next_notice == 14
    assert date(2026, 10, 16) in found["gemini-2.5-pro"].other_dates
    assert found["claude-sonnet-4-5"].replacements == ["claude-sonnet-5-5"]


def test_it_is_narrowed_by_vendor_platform_days_and_words(shipped):
    def names(**asked):
        return {end.name for end in ends_for(actor(shipped.pat), Asked(**asked))}

    assert names(days=30) == {"claude-sonnet-4-5", "gemini-2.5-pro", "gpt-5", "gpt-5-mini"}
    assert names(vendor="gemini") == {"gemini-2.5-pro"}
    assert len(names(platform="openai")) == 3
    assert names(search="openai mini") == {"gpt-5-mini"}
    assert names(search="sonnet-5-5") == {"claude-sonnet-4-5"}
    whole = ends_for(actor(shipped.pat), Asked(whole=True))
    assert len(whole) > 60
    assert {end.platform for end in whole} >= {"azure", "bedrock", "openai", "gemini"}
    # What is used here stands there once, not beside its own row of the catalogue.
    assert sum(end.name == "gpt-5" and end.platform == "openai" for end in whole) == 1
    assert any(end.name.startswith("gpt-4o") and end.platform == "azure" for end in whole)


def test_who_depends_on_an_end_is_said_as_far_as_the_viewer_sees(cast):
    model = make_model(make_vendor(), "acme-1", retires_on=date(2026, 12, 11))
    other = make_model(model.vendor, "acme-2", retires_on=date(2026, 12, 12))
    make_route("to-one", model)
    make_route("to-two", other)
    make_agent("of-alice", owner=cast.alice, backup_owner=cast.bob, routes=["to-one"])
    make_agent("of-mallory", owner=cast.mallory, backup_owner=cast.sam, routes=["to-one", "to-two"])
    seen = by_name(ends_for(actor(cast.ann), Asked()))
    assert {name: end.exposure.agents for name, end in seen.items() if end.exposure} == {
        "acme-1": 2,
        "acme-2": 1,
    }
    own = ends_for(actor(cast.alice), Asked())
    assert [end.exposure.agents for end in own if end.exposure] == [1, 0]
    mine = ends_for(actor(cast.alice), Asked(mine=True))
    assert [end.name for end in mine] == ["acme-1"]
    assert ends_for(actor(cast.pat), Asked(mine=True)) == []


def test_the_page_shows_a_picture_and_a_table(shipped):
    got = browser(shipped.alice).get("/retirements/")
    text = got.content.decode()
    assert got.status_code == 200
    assert 'role="img" aria-label="Timeline of 6 models' in text
    assert text.index("claude-sonnet-4-5") < text.index("gpt-4o-2024-08-06")
    assert "others say 16 Oct 2026" in text
    assert "claude-sonnet-5-5" in text
    assert "url(#timeline-hatch)" not in text
    Model.objects.filter(name="gpt-5").update(date_precision="earliest")
    whole = browser(shipped.pat).get("/retirements/?scope=all&days=365").content.decode()
    assert "url(#timeline-hatch)" in browser(shipped.pat).get("/retirements/").content.decode()
    assert 'rel="next"' in whole
    second = browser(shipped.pat).get("/retirements/?scope=all&days=365&cursor=50")
    assert 'rel="prev"' in second.content.decode()
    odd = "/retirements/?days=x&cursor=99999999999&owner=you&platform=%00"
    assert browser(shipped.pat).get(odd).status_code == 200


def test_an_empty_calendar_says_what_to_do(cast):
    pat = browser(cast.pat)
    assert "No model that is used here ends" in pat.get("/retirements/").content.decode()
    assert "Nothing ends here" in pat.get("/retirements/?search=zz").content.decode()


def test_the_file_is_one_that_calendar_programs_read(shipped):
    Model.objects.filter(name="gpt-5").update(replacement="a\\b; c, d" + "é" * 80)
    got = browser(shipped.alice).get("/retirements/calendar.ics")
    assert got["Content-Type"].startswith("text/calendar")
    raw = got.content
    assert all(len(line) <= 75 for line in raw.split(b"\r\n"))
    lines = raw.decode().replace("\r\n ", "").split("\r\n")
    assert lines[0] == "BEGIN:VCALENDAR"
    assert lines.count("BEGIN:VEVENT") == 6
    assert lines.count("BEGIN:VALARM") == 36
    assert "DTSTART;VALUE=DATE:20261211" in lines
    assert "SUMMARY:claude-sonnet-4-5 (anthropic) ends" in lines
    assert any("a\\\\b\\; c\\, dé" in line for line in lines)
    again = browser(shipped.pat).get("/retirements/calendar.ics").content.decode()
    uids = {line for line in lines if line.startswith("UID:")}
    assert uids == {line for line in again.split("\r\n") if line.startswith("UID:")}


def test_json_says_the_same_on_the_page_and_on_the_api(shipped):
    page = browser(shipped.pat).get("/retirements/calendar.json?days=30").json()
    first = page["results"][0]
    assert (first["name"], first["retires_on"]) == ("claude-sonnet-4-5", "2026-11-30")
    assert first["exposure"] == {
        "agents": 0, "calling": 0, "owners": 0, "calls": 0, "cost_micros": 0,
    }  # fmt: skip
    client = client_of(shipped.pat)
    assert client.get("/api/v1/retirements?days=30").json()["results"] == page["results"]
    assert client.get("/api/v1/retirements?owner=you").status_code == 422
    assert b"BEGIN:VEVENT" in client.get("/api/v1/retirements.ics").content
    assert client_of().get("/api/v1/retirements").status_code == 401


def test_over_rest_the_ends_come_in_pages_and_of_one_model(shipped):
    client, place = client_of(shipped.alice), "/api/v1/retirements"
    whole = [end["name"] for end in client.get(place).data["results"]]
    seen, following = [], f"{place}?limit=4"
    while following:
        page = client.get(following).data
        seen += [end["name"] for end in page["results"]]
        following = page["next"]
    assert seen == whole
    assert client.get(f"{place}?limit=4&cursor=4").data["previous"].endswith("cursor=0")
    model = Model.objects.get(name="gpt-5")
    for said in ("gpt-5", model.public_id):
        found = client.get(place, {"model": said, "platform": "openai"}).data["results"]
        assert [end["name"] for end in found] == ["gpt-5"]
    assert client.get(place, {"limit": 0}).status_code == 422
