"""Campaigns and moves in the admin: looked through, and steered many at once after a look."""

from __future__ import annotations

import os
import re
from html import unescape

import pytest
from django.test import Client

from fleet.campaigns.models import Campaign, Move
from fleet.retiring.actions.batches import carry_out_running
from fleet.retiring.models import Batch
from fleet.telling.models import Message
from registry.models import Agent
from routing.models import Model
from tests.factories import Cast, make_agent, make_cast, make_model
from tests.fleet.campaigns.made import ending, in_days, opened, using

pytestmark = pytest.mark.django_db
MOVES, CAMPAIGNS = "/admin/campaigns/move/", "/admin/campaigns/campaign/"
PRICED = {"input_micros_per_mtok": 1_000_000, "output_micros_per_mtok": 4_000_000}
# `make soak` raises it to the thousand that the promise names.
SIZE = int(os.environ.get("UNSPRAWL_SOAK_BATCH", "60"))


@pytest.fixture
def cast() -> Cast:
    return make_cast()


@pytest.fixture
def pat(cast: Cast) -> Client:
    client = Client()
    client.force_login(cast.pat)
    return client


@pytest.fixture
def model() -> Model:
    return ending()


@pytest.fixture
def campaign(cast: Cast, model: Model) -> Campaign:
    using(model, "one", cast.alice)
    using(model, "two", cast.bob)
    return opened(model)


def words(client: Client, page: str) -> str:
    text = unescape(client.get(page).content.decode())
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", text))


def choose(client: Client, step: str) -> str:
    keys = list(Move.objects.values_list("pk", flat=True))
    response = client.post(MOVES, {"action": step, "_selected_action": keys, "select_across": "1"})
    assert response.status_code == 302, response.content[:500]
    return str(response["Location"])


def test_moves_are_listed_searched_and_never_edited(pat: Client, campaign: Campaign) -> None:
    assert "2" in words(pat, f"{MOVES}?q=one")
    assert pat.get(f"{MOVES}?state__exact=open").status_code == 200
    move = Move.objects.first()
    assert move is not None
    page = pat.get(f"{MOVES}{move.pk}/change/").content.decode()
    assert 'name="_save"' not in page
    assert pat.get(f"{CAMPAIGNS}?q=gpt").status_code == 200
    assert pat.get(f"{CAMPAIGNS}{campaign.pk}/change/").status_code == 200


def test_a_step_for_many_moves_is_looked_at_first_and_shows_how_far_it_is(
    cast: Cast, pat: Client, campaign: Campaign, model: Model
) -> None:
    for number in range(SIZE):
        agent = make_agent(f"bulk-{number:05}", owner=cast.alice, stage="live")
        Move.objects.create(
            public_id=f"mov_{number:05}", campaign=campaign, agent=agent,
            joined_at=campaign.opened_at, state_changed_at=campaign.opened_at,
        )  # fmt: skip
    Move.objects.filter(agent__name="two").update(
        state="contested", contested_by="person:x", contested_why="no"
    )
    there = choose(pat, "move_rule")
    shown = words(pat, there)
    assert f"Set the rule of the deadline: {SIZE + 2} agents chosen" in shown
    target = make_model(model.vendor, "gpt-6-luna", **PRICED)
    wrong = pat.post(there, {"to": "openai/none", "look": "1"}).content.decode()
    assert "write vendor/name" in unescape(wrong)
    pat.post(there, {"to": str(target), "begin": "1", "reason": "As agreed."})
    batch = Batch.objects.get()
    carry_out_running()  # as the worker does with many
    batch.refresh_from_db()
    assert (batch.state, batch.asked["campaign"]) == ("done", campaign.public_id)
    assert {move.rule["to"] for move in Move.objects.all()} == {target.public_id}
    assert f"{SIZE + 2} done" in words(pat, there)


def test_agents_are_paused_and_resumed_in_the_admin(pat: Client, campaign: Campaign) -> None:
    there = choose(pat, "move_pause")
    sent = {"begin": "1", "reason": "It leaks.", "typed": "move_pause 2"}
    pat.post(there, sent | {"typed": "yes"})
    assert not Move.objects.filter(state="paused").exists()
    pat.post(there, sent)
    assert Move.objects.filter(state="paused").count() == 2
    pat.post(choose(pat, "move_resume"), {"begin": "1", "reason": "It does not."})
    assert Move.objects.filter(state="open").count() == 2


def test_owners_are_reminded_and_a_model_is_chosen_in_the_admin(
    pat: Client, campaign: Campaign, model: Model
) -> None:
    make_model(model.vendor, "gpt-6-luna", **PRICED)
    pat.post(choose(pat, "move_remind"), {"begin": "1", "reason": "Soon."})
    assert Message.objects.filter(kind="move.due").count() == 2
    there = choose(pat, "move_choose")
    assert "Left out" not in words(pat, there)
    pat.post(there, {"begin": "1", "reason": "The best.", "to": "openai/gpt-6-luna"})
    assert Move.objects.filter(state="ready").count() == 2
    assert choose(pat, "move_begin").endswith(f"/campaigns/{campaign.public_id}/?state=ready")


def test_moves_of_two_campaigns_are_not_steered_as_one(
    cast: Cast, pat: Client, campaign: Campaign
) -> None:
    other = ending("gpt-4o", "azure")
    using(other, "three", cast.sue)
    opened(other)
    assert choose(pat, "move_remind").startswith(MOVES)
    assert not Batch.objects.exists()


def test_campaigns_are_changed_and_ended_after_a_look(
    cast: Cast, pat: Client, campaign: Campaign
) -> None:
    other = ending("gpt-4o", "azure")
    by_hand = opened(other, due_on=in_days(30), kind="price")
    keys = [campaign.pk, by_hand.pk]

    def step(name: str, **more: str) -> str:
        sent = {"action": name, "_selected_action": keys, **more}
        return unescape(pat.post(CAMPAIGNS, sent, follow=True).content.decode())

    assert "set that by hand" in step("campaign_day")
    step("campaign_day", sure="yes", given=in_days(50).isoformat())
    dates = set(Campaign.objects.values_list("due_on", flat=True))
    assert dates == {campaign.due_on, in_days(50)}
    assert "write vendor/name" in step("campaign_rule", sure="yes", given="openai/none")
    assert "done for 2 of 2" in step("campaign_remind", sure="yes")
    assert "Say why it is not needed" in step("campaign_close", sure="yes", given="")
    assert "2 campaigns" in step("campaign_close")
    step("campaign_close", sure="yes", given="We stay.")
    assert set(Campaign.objects.values_list("state", flat=True)) == {"unneeded"}


@pytest.mark.parametrize("who", ["alice", "sam", "mallory"])
def test_steps_are_the_platform_teams(cast: Cast, campaign: Campaign, who: str) -> None:
    client = Client()
    client.force_login(getattr(cast, who))
    keys = list(Agent.objects.values_list("pk", flat=True))
    client.post(MOVES, {"action": "move_pause", "_selected_action": keys})
    client.post(
        CAMPAIGNS, {"action": "campaign_close", "_selected_action": [campaign.pk], "sure": "yes",
                    "given": "x"},
    )  # fmt: skip
    campaign.refresh_from_db()
    assert (campaign.state, Batch.objects.count()) == ("open", 0)
