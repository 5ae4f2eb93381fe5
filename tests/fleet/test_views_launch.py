"""The page of an agent's launch: its figures, what live asks, and asking."""

from __future__ import annotations

import pytest
from django.test import Client

from approvals.models import Review
from effects.models import Demotion
from kernel import clock
from registry.models import Agent, Person
from tests.effects.launch.acting import Acts
from tests.factories import Cast, make_agent, make_cast, make_route

pytestmark = pytest.mark.django_db
PAGE = "/agents/payer/launch/"


@pytest.fixture
def cast() -> Cast:
    make_route("sandbox")
    return make_cast()


@pytest.fixture
def agent(cast: Cast) -> Agent:
    return make_agent(
        "payer", owner=cast.alice, backup_owner=cast.bob, stage="soft_launch", risk_tier="medium"
    )


def page(client: Client, viewer: Person) -> str:
    client.force_login(viewer)
    return client.get(PAGE).content.decode()


def test_without_actions_there_are_no_figures(client: Client, cast: Cast, agent: Agent) -> None:
    assert "It has not proposed an action yet" in page(client, cast.alice)


def test_figures_and_what_is_missing_are_shown(client: Client, cast: Cast, agent: Agent) -> None:
    acts = Acts(agent)
    acts.judged("approved", 9)
    acts.judged("edited", 1)
    acts.judged("rejected", 1, on="erp.pay")
    text = page(client, cast.sam)
    assert "9 of 11 approved unchanged; 95 % sure: 52 to 95 %" in text
    assert "25% of places, 30% of words" in text
    assert "11 of 20 actions were decided by people" in text
    assert "Why live all the same?" not in text  # security does not ask for it


def test_a_stranger_does_not_see_it(client: Client, cast: Cast, agent: Agent) -> None:
    client.force_login(cast.mallory)
    assert client.get(PAGE).status_code == 403


def test_the_owner_asks_with_an_exception(client: Client, cast: Cast, agent: Agent) -> None:
    Acts(agent).judged("approved", 3)
    assert "Why live all the same?" in page(client, cast.alice)
    asked = {"justification": "It does well.", "from": "launch", "exception": ""}
    refused = client.post("/agents/payer/promote/", asked)
    assert refused.status_code == 422
    assert "3 of 20 actions were decided by people" in refused.content.decode()
    assert "It does well." in refused.content.decode()
    asked["exception"] = "It runs once a year."
    assert client.post("/agents/payer/promote/", asked).status_code == 302
    assert Review.objects.get().evidence["exception"] == "It runs once a year."
    assert "See the review" in page(client, cast.alice)


def test_from_the_overview_one_is_led_to_what_is_missing(
    client: Client, cast: Cast, agent: Agent
) -> None:
    Acts(agent).judged("approved", 3)
    client.force_login(cast.alice)
    refused = client.post("/agents/payer/promote/", {"justification": "It does well."})
    assert "Why live all the same?" in refused.content.decode()


def test_a_demotion_is_said(client: Client, cast: Cast, agent: Agent) -> None:
    Demotion.objects.create(
        public_id="dem_1", agent=agent, rule="launch.errors", reason="6 of 10 effects failed.",
        figures={}, demoted_at=clock.now(),
    )  # fmt: skip
    assert "6 of 10 effects failed." in page(client, cast.alice)


def test_reviewers_see_the_figures_above_the_exception(
    client: Client, cast: Cast, agent: Agent
) -> None:
    Acts(agent).judged("approved", 3)
    client.force_login(cast.alice)
    asked = {"justification": "Well.", "exception": "It runs once a year.", "from": "launch"}
    client.post("/agents/payer/promote/", asked)
    client.force_login(cast.sam)
    text = client.get(f"/reviews/{Review.objects.get().public_id}/").content.decode()
    assert "It runs once a year." in text
    assert "3 of 20 actions were decided by people" in text
