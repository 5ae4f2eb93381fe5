"""Campaigns and moves in the portal and over REST: what is shown, and to whom."""

from __future__ import annotations

import pytest

from fleet.campaigns.models import Campaign, Move
from routing.models import Model
from tests.factories import Cast, browser_of, client_of, make_agent, make_cast, make_model
from tests.fleet.campaigns.made import ending, in_days, move_of, opened, using

pytestmark = pytest.mark.django_db
PRICED = {"input_micros_per_mtok": 1_000_000, "output_micros_per_mtok": 4_000_000}


@pytest.fixture
def cast() -> Cast:
    return make_cast()


@pytest.fixture
def model() -> Model:
    return ending(replacement="gpt-6-luna")


@pytest.fixture
def luna(model: Model) -> Model:
    return make_model(model.vendor, "gpt-6-luna", **PRICED)


@pytest.fixture
def move(cast: Cast, model: Model, luna: Model) -> Move:
    using(model, "other", cast.sue)
    agent = using(model, "sorter", cast.alice, backup_owner=cast.bob)
    return move_of(opened(model), agent)


def address(move: Move, *more: str) -> str:
    return "/".join(["/campaigns", move.campaign.public_id, "moves", move.public_id, *more, ""])


def test_the_list_shows_the_day_the_progress_and_my_moves(cast: Cast, move: Move) -> None:
    page = browser_of(cast.alice).get("/campaigns/").content.decode()
    assert "Your moves" in page
    assert "gpt-5" in page
    assert "0 of 1" in page  # of those that she sees
    assert "0 of 2" in browser_of(cast.sam).get("/campaigns/").content.decode()
    assert "No campaign yet" in browser_of(cast.mallory).get("/campaigns/").content.decode()
    assert "No campaign fits" in browser_of(cast.sam).get("/campaigns/?search=zzz").content.decode()


def test_a_campaign_shows_what_changed_and_every_move_that_one_may_see(
    cast: Cast, move: Move
) -> None:
    there = f"/campaigns/{move.campaign.public_id}/"
    page = browser_of(cast.ann).get(there).content.decode()
    assert "Left to move" in page
    assert "vendor.test/deprecations" in page
    assert "sorter" in page
    assert "other" in page
    mine = browser_of(cast.bob).get(there)
    assert mine.status_code == 200
    assert "/moves/" in mine.content.decode()
    assert "Not needed" not in mine.content.decode()
    assert browser_of(cast.mallory).get(there).status_code == 404


def test_a_move_is_chosen_ruled_and_contested_on_its_page(
    cast: Cast, move: Move, luna: Model
) -> None:
    alice = browser_of(cast.alice)
    page = alice.get(address(move)).content.decode()
    assert "the vendor&#x27;s replacement" in page or "the vendor's replacement" in page
    assert "is paused" in page
    shown = alice.post(address(move, "choose"), {"model": luna.public_id}, follow=True)
    assert "Chosen. It is ready to move." in shown.content.decode()
    alice.post(address(move, "fallback"), {"to": luna.public_id})
    alice.post(address(move, "contest"), {"reason": "Not ours."})
    move.refresh_from_db()
    assert (move.state, move.rule["to"]) == ("contested", luna.public_id)
    pat = browser_of(cast.pat)
    assert "Alice contests this move" in pat.get(address(move)).content.decode()
    pat.post(address(move, "answer"), {"reason": "Agreed.", "verdict": "right"})
    move.refresh_from_db()
    assert move.state == "unneeded"
    assert browser_of(cast.mallory).get(address(move)).status_code == 404
    assert browser_of(cast.ann).post(address(move, "contest"), {"reason": "x"}).status_code == 403


def test_many_moves_are_decided_after_a_preview(cast: Cast, move: Move, luna: Model) -> None:
    pat = browser_of(cast.pat)
    there = f"/campaigns/{move.campaign.public_id}/group/"
    wanted = {
        "do": "choose", "model": luna.public_id,
        "move": list(Move.objects.values_list("public_id", flat=True)),
    }  # fmt: skip
    preview = pat.post(there, wanted).content.decode()
    assert "Choose a model for 2 moves" in preview
    assert not Move.objects.exclude(state="open").exists()
    done = pat.post(there, wanted | {"sure": "yes"}, follow=True).content.decode()
    assert "Done for 2 of 2 moves." in done
    assert Move.objects.filter(state="ready").count() == 2
    nothing = pat.post(there, {"do": "choose"}, follow=True).content.decode()
    assert "Mark at least one move" in nothing


def test_the_platform_opens_and_ends_a_campaign_by_hand(cast: Cast, model: Model) -> None:
    pat = browser_of(cast.pat)
    assert browser_of(cast.alice).get("/campaigns/new/").status_code == 403
    said = {
        "model": model.public_id,
        "kind": "price",
        "due_on": in_days(30).isoformat(),
        "note": "",
    }
    assert pat.post("/campaigns/new/", said | {"due_on": "2020-01-01"}).status_code == 422
    pat.post("/campaigns/new/", said)
    campaign = Campaign.objects.get()
    pat.post(f"/campaigns/{campaign.public_id}/close/", {"reason": "We stay."})
    campaign.refresh_from_db()
    assert (campaign.state, campaign.ended_why) == ("unneeded", "We stay.")


def test_over_rest_an_owner_lists_chooses_rules_and_contests(
    cast: Cast, move: Move, luna: Model
) -> None:
    alice = client_of(cast.alice)
    (shown,) = alice.get("/api/v1/campaigns?state=open").json()["results"]
    assert (shown["due_on"], shown["days_left"]) == (in_days(19).isoformat(), 19)
    there = f"/api/v1/campaigns/{shown['id']}"
    assert alice.get(there).json()["id"] == shown["id"]
    (mine,) = alice.get(f"{there}/moves?state=open").json()["results"]
    assert (mine["agent"], mine["ways"]) == ("sorter", ["route"])
    one = f"{there}/moves/{mine['id']}"
    assert alice.post(f"{one}/choose", {"model": luna.public_id}).json()["state"] == "ready"
    ruled = alice.post(f"{one}/fallback", {"rule": "move", "to": luna.public_id})
    assert ruled.json()["fallback"] == {"rule": "move", "to": luna.public_id}
    assert alice.post(f"{one}/fallback", {"rule": None}).json()["fallback"] == {"rule": "pause"}
    refused = alice.post(f"{one}/choose", {"model": "mod_none"})
    assert (refused.status_code, refused.json()["code"]) == (422, "fleet.move_impossible")
    assert alice.post(f"{one}/contest", {"reason": "No."}).json()["state"] == "contested"
    assert client_of(cast.mallory).get(there).status_code == 404
    assert client_of(cast.mallory).post(f"{one}/contest", {"reason": "x"}).status_code == 404
    assert client_of(cast.ann).post(f"{one}/contest", {"reason": "x"}).status_code == 403


def test_the_impact_of_a_model_is_told_over_rest_as_far_as_one_sees(
    cast: Cast, move: Move, model: Model
) -> None:
    make_agent("unconcerned", owner=cast.alice)
    there = f"/api/v1/models/{model.public_id}/impact"
    everything = client_of(cast.sam).get(there).json()
    assert (everything["agents"], everything["calling"], everything["owners"]) == (2, 2, 2)
    own = client_of(cast.alice).get(there).json()
    assert [each["agent"] for each in own["touched"]] == ["sorter"]
    assert (own["agents"], own["cost_micros"]) == (1, 0)
    assert client_of(cast.mallory).get(there).json()["touched"] == []
