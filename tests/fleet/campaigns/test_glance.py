"""The one page of a campaign, what would break without a model, and the same over REST."""

from __future__ import annotations

from datetime import timedelta

import pytest

from fleet.campaigns.models import Campaign, Move
from fleet.drift.actions.pricing import count_price_effects
from fleet.telling.models import Message
from kernel import clock
from registry.models import Agent
from routing.actions.vendor_notices import note_vendor_change
from routing.models import LifecycleChange, Model
from tests.factories import Cast, actor, browser_of, client_of, make_cast, make_model
from tests.fleet.campaigns.made import ending, in_days, move_of, opened, using

pytestmark = pytest.mark.django_db
PRICED = {"input_micros_per_mtok": 1_000_000, "output_micros_per_mtok": 4_000_000}


@pytest.fixture
def cast() -> Cast:
    return make_cast()


@pytest.fixture
def model() -> Model:
    return ending()


@pytest.fixture
def luna(model: Model) -> Model:
    return make_model(model.vendor, "gpt-6-luna", **PRICED)


@pytest.fixture
def agents(cast: Cast, model: Model) -> list[Agent]:
    return [using(model, "one", cast.alice), using(model, "two", cast.bob)]


@pytest.fixture
def campaign(model: Model, agents: list[Agent]) -> Campaign:
    return opened(model)


def put(move: Move, state: str, to: Model) -> None:
    chosen = {"candidate": to, "chosen_by": "person:x", "chosen_at": clock.now()}
    Move.objects.filter(pk=move.pk).update(state=state, **chosen)


def test_what_could_take_its_place_is_offered_the_named_first_and_nothing_that_ends_too(
    cast: Cast, campaign: Campaign, model: Model, luna: Model
) -> None:
    make_model(model.vendor, "gone-before", retires_on=campaign.due_on)
    make_model(model.vendor, "a-later-end", retires_on=campaign.due_on + timedelta(days=90))
    Campaign.objects.filter(pk=campaign.pk).update(replacement=f"models/{luna.name}")
    page = browser_of(cast.pat).get(f"/campaigns/{campaign.public_id}/").content.decode()
    offered = page.partition('aria-label="The model">')[2].partition("</select>")[0]
    assert "gone-before" not in offered
    assert 0 < offered.index(luna.name) < offered.index("a-later-end")


def test_the_page_shows_the_days_the_states_who_is_late_and_what_is_next(
    cast: Cast, campaign: Campaign, agents: list[Agent], luna: Model
) -> None:
    put(move_of(campaign, agents[0]), "ready", luna)
    there = f"/campaigns/{campaign.public_id}/"
    page = browser_of(cast.pat).get(there).content.decode()
    assert "19 days left" in page
    assert "Moves by where they stand" in page
    assert page.count(">late<") == 1  # two has not chosen
    assert "Sign and move<span" in page
    assert "Choose<span" in page
    assert "?need=late" in page
    assert "?need=sign" in page
    late = browser_of(cast.pat).get(f"{there}?need=late").content.decode()
    assert "two" in late
    assert "Mark one" not in late
    mine = browser_of(cast.bob).get(f"{there}?need=mine").content.decode()
    assert "Mark two" in mine
    read_only = browser_of(cast.ann).get(there).content.decode()
    assert "Mark two" not in read_only
    assert "Sign and move<span" not in read_only


def test_owners_are_reminded_together_and_once_a_day(
    cast: Cast, campaign: Campaign, agents: list[Agent]
) -> None:
    pat, there = browser_of(cast.pat), f"/campaigns/{campaign.public_id}/group/"
    wanted = {"do": "remind", "all": "yes", "filter": "search=two"}
    preview = pat.post(there, wanted).content.decode()
    assert "Remind the owners of 1 move" in preview
    two = move_of(campaign, agents[1]).public_id
    for _ in range(2):
        pat.post(there, {"do": "remind", "sure": "yes", "moves": two})
    assert Message.objects.filter(kind="move.due").count() == 1
    refused = browser_of(cast.bob).post(there, {"do": "remind", "move": [two]}).content.decode()
    assert "the platform team reminds" in refused


def test_rules_are_set_together(
    cast: Cast, campaign: Campaign, agents: list[Agent], luna: Model
) -> None:
    pat, there = browser_of(cast.pat), f"/campaigns/{campaign.public_id}/group/"
    ids = ",".join(Move.objects.values_list("public_id", flat=True))
    pat.post(there, {"do": "rule_move", "model": luna.public_id, "moves": ids, "sure": "yes"})
    assert {move.rule["to"] for move in Move.objects.all()} == {luna.public_id}
    pat.post(there, {"do": "rule_pause", "moves": ids, "sure": "yes"})
    assert {move.rule["rule"] for move in Move.objects.all()} == {"pause"}
    gone = pat.post(there, {"do": "choose", "model": "mod_none", "moves": ids})
    assert gone.status_code == 404


def test_the_platform_changes_the_rule_and_a_day_that_no_source_gives(
    cast: Cast, campaign: Campaign, model: Model, luna: Model
) -> None:
    there = f"/campaigns/{campaign.public_id}/change/"
    pat = browser_of(cast.pat)
    pat.post(there, {"rule": luna.public_id})
    campaign.refresh_from_db()
    assert campaign.fallback == {"rule": "move", "to": luna.public_id}
    told = pat.post(there, {"rule": model.public_id}, follow=True).content.decode()
    assert "It is the model that ends." in told
    dated = pat.post(there, {"due_on": in_days(30).isoformat()}, follow=True).content.decode()
    assert "Its day is the model" in dated
    assert browser_of(cast.alice).post(there, {"rule": "pause"}).status_code in (302, 403)
    campaign.refresh_from_db()
    assert campaign.fallback["rule"] == "move"


def test_the_agents_page_says_what_it_must_do(
    cast: Cast, campaign: Campaign, agents: list[Agent]
) -> None:
    page = browser_of(cast.alice).get("/agents/one/").content.decode()
    assert "This agent must move off" in page
    assert "Choose where to" in page
    assert move_of(campaign, agents[0]).public_id in page
    assert "must move off" not in browser_of(cast.mallory).get("/agents/one/").content.decode()


def test_what_would_break_is_shown_before_there_is_a_campaign(
    cast: Cast, model: Model, agents: list[Agent]
) -> None:
    there = f"/models/{model.public_id}/impact/"
    page = browser_of(cast.pat).get(there).content.decode()
    assert "What would break without" in page
    assert "one" in page
    assert "two" in page
    assert "Open a campaign" in page
    found = browser_of(cast.pat).get(f"{there}?search=tw").content.decode()
    assert "/agents/two/" in found
    assert "/agents/one/" not in found
    assert "No agent fits" in browser_of(cast.pat).get(f"{there}?way=fallback").content.decode()
    mine = browser_of(cast.alice).get(there).content.decode()
    assert "/agents/two/" not in mine
    assert "Nothing would break" in browser_of(cast.mallory).get(there).content.decode()
    sheet = browser_of(cast.alice).get(f"/models/{model.public_id}/impact.csv").content.decode()
    lines = sheet.splitlines()
    assert lines[0].startswith("agent,title,owner")
    assert [line.split(",")[0] for line in lines[1:]] == ["one"]


def test_a_title_is_no_formula_in_the_table(cast: Cast, model: Model, agents: list[Agent]) -> None:
    Agent.objects.filter(pk=agents[0].pk).update(title="=HYPERLINK(1)")
    sheet = browser_of(cast.pat).get(f"/models/{model.public_id}/impact.csv").content.decode()
    assert "'=HYPERLINK(1)" in sheet


def test_a_new_price_has_its_effect_in_money_and_opens_a_campaign_by_hand(
    cast: Cast, model: Model, agents: list[Agent]
) -> None:
    before = {"currency": "USD", "input_micros_per_mtok": 1_000_000,
              "output_micros_per_mtok": 4_000_000}  # fmt: skip
    change = LifecycleChange.objects.create(
        public_id="lch_price", platform="openai", model=model, vendor=model.vendor, kind="price",
        before=before, after=before | {"input_micros_per_mtok": 451_000_000}, seen_at=clock.now(),
    )  # fmt: skip
    assert count_price_effects() == 1  # 2,000 tokens in 30 days at 450 more a million
    page = browser_of(cast.pat).get(f"/models/{model.public_id}/impact/").content.decode()
    assert "+$0.90" in page
    theirs = browser_of(cast.alice).get(f"/models/{model.public_id}/impact/").content.decode()
    assert "+$0.90" not in theirs
    form = browser_of(cast.pat).get(f"/campaigns/new/?model={model.public_id}&change=lch_price")
    shown = form.content.decode()
    assert '<option value="price" selected>' in shown
    assert "input price 1 a million → 451 a million" in shown
    assert change.public_id


def test_an_address_is_shown_to_those_who_govern(
    cast: Cast, model: Model, agents: list[Agent]
) -> None:
    note_vendor_change(
        model.vendor.name, "endpoint", before="https://old.test", after="https://new.test",
        source="a letter", actor=actor(cast.pat),
    )  # fmt: skip
    there = f"/models/{model.public_id}/impact/"
    assert "new.test" in browser_of(cast.sam).get(there).content.decode()
    told = browser_of(cast.alice).get(there).content.decode()
    assert "new.test" not in told
    assert "Endpoint" in told


def test_over_rest_the_platform_opens_changes_reminds_pauses_resumes_and_ends(
    cast: Cast, model: Model, luna: Model, agents: list[Agent]
) -> None:
    pat, alice = client_of(cast.pat), client_of(cast.alice)
    said = {"model": model.public_id, "due_on": in_days(40).isoformat(), "kind": "price"}
    assert alice.post("/api/v1/campaigns", said).status_code == 403
    made = pat.post("/api/v1/campaigns", said)
    assert made.status_code == 201
    there = f"/api/v1/campaigns/{made.json()['id']}"
    changed = pat.patch(
        there,
        {
            "due_on": in_days(41).isoformat(),
            "fallback": {"rule": "move", "to": luna.public_id},
        },
    ).json()
    assert changed["due_on"] == in_days(41).isoformat()
    assert changed["fallback"] == {"rule": "move", "to": luna.public_id}
    refused = pat.patch(there, {"fallback": {"rule": "move"}})
    assert (refused.status_code, refused.json()["code"]) == (422, "fleet.fallback_unusable")
    assert alice.patch(there, {"fallback": {"rule": "pause"}}).status_code == 403
    assert pat.post(f"{there}/remind", {}).json() == {"reminded": 2}
    assert alice.post(f"{there}/remind", {}).status_code == 403
    (mine,) = alice.get(f"{there}/moves?need=mine").json()["results"]
    one = f"{there}/moves/{mine['id']}"
    assert alice.post(f"{one}/pause", {"reason": "x"}).status_code == 403
    assert pat.post(f"{one}/pause", {"reason": "It leaks."}).json()["state"] == "paused"
    assert pat.post(f"{one}/resume", {"reason": "It does not."}).json()["state"] == "open"
    assert alice.post(f"{one}/choose", {"model": luna.public_id}).json()["state"] == "ready"
    # Beginning asks for an evaluation that it passed, over REST as on the page.
    refused = alice.post(f"{one}/begin")
    assert (refused.status_code, refused.json()["code"]) == (409, "fleet.cutover_not_evaluated")
    assert pat.post(f"{there}/close", {"reason": "No."}).json()["state"] == "unneeded"


def test_over_rest_the_impact_comes_page_by_page(
    cast: Cast, model: Model, agents: list[Agent]
) -> None:
    there = f"/api/v1/models/{model.public_id}/impact"
    sam = client_of(cast.sam)
    first = sam.get(f"{there}?limit=1").json()
    second = sam.get(f"{there}?limit=1&offset=1").json()
    assert (first["agents"], second["agents"]) == (2, 2)
    named = [each["agent"] for page in (first, second) for each in page["touched"]]
    assert sorted(named) == ["one", "two"]
    found = sam.get(f"{there}?search=two&way=route").json()
    assert [each["agent"] for each in found["touched"]] == ["two"]
    assert sam.get(f"{there}?limit=0").status_code in (400, 422)
