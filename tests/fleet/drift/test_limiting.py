"""A changed rate limit is held once against use by the minute, and shown as far as seen."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from fleet.drift.actions.limiting import count_limit_effects
from fleet.drift.models import LimitEffect, LimitEffectOnAgent
from kernel import clock
from registry.models import Agent
from routing.actions.changes import note_limits_change
from routing.models import Call, Model
from tests.factories import (
    Cast,
    browser_of,
    client_of,
    make_agent,
    make_call,
    make_model,
    make_vendor,
    operator,
)

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
NOW = NOON + timedelta(days=1)
BEFORE = {"requests_per_minute": 500}


@pytest.fixture
def model(cast: Cast) -> Model:
    return make_model(make_vendor("openai", platform="openai"), "gpt-6-luna")


@pytest.fixture
def agents(cast: Cast, model: Model) -> list[Agent]:
    """Of five calls in the fullest minute three are the first's; the second has one more."""
    mine, theirs = make_agent("of-alice", owner=cast.alice), make_agent("of-bob", owner=cast.bob)
    for agent, second in ((mine, 0), (mine, 1), (mine, 59), (theirs, 2), (theirs, 3), (theirs, 60)):
        called(agent, model, second)
    make_call(mine, vendor="openai", model="another", started_at=NOON)
    called(mine, model, 3, status="denied")
    called(mine, model, -40 * 86_400)
    return [mine, theirs]


def called(agent: Agent, model: Model, second: int, **over: Any) -> Call:
    return make_call(
        agent, vendor=model.vendor.name, model=model.name, input_tokens=90, output_tokens=10,
        started_at=NOON + timedelta(seconds=second), **over,
    )  # fmt: skip


def effect_of(model: Model, **limits: int) -> LimitEffect:
    with clock.held_at(NOW):
        change = note_limits_change(
            model, BEFORE, limits, source="vendor's answers", actor=operator().ref
        )
        assert [count_limit_effects(), count_limit_effects()] == [1, 0]
    return LimitEffect.objects.get(change=change)


def test_calls_over_the_new_limit_are_counted_by_the_minute_and_by_agent(
    model: Model, agents: list[Agent]
) -> None:
    effect = effect_of(model, requests_per_minute=3)
    assert (effect.calls, effect.refused_calls, effect.minutes_over) == (6, 2, 1)
    assert (effect.peak_calls, effect.peak_calls_at) == (5, NOON)
    assert effect.peak_tokens == 500
    parts = LimitEffectOnAgent.objects.order_by("-calls", "agent__name")
    assert list(parts.values_list("agent__name", "calls", "refused_calls")) == [
        ("of-alice", 3, 1), ("of-bob", 3, 1),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("limits", "refused", "over"),
    [
        ({"requests_per_minute": 5}, 0, 0),
        ({"requests_per_minute": 400, "tokens_per_minute": 300}, 2, 200),
        ({"input_tokens_per_minute": 270, "output_tokens_per_minute": 1_000}, 2, 180),
        ({"requests_per_day": 4}, 2, 0),
        ({}, 0, 0),
    ],
)
def test_every_measure_refuses_what_lies_over_it(
    model: Model, agents: list[Agent], limits: dict[str, int], refused: int, over: int
) -> None:
    effect = effect_of(model, **limits)
    assert (effect.refused_calls, effect.refused_tokens) == (refused, over)


def test_what_the_platform_asks_in_an_agents_place_fills_a_minute_and_is_no_agents(
    model: Model, agents: list[Agent]
) -> None:
    called(agents[0], model, 4, made_for="gld_1")
    effect = effect_of(model, requests_per_minute=3)
    assert (effect.calls, effect.peak_calls, effect.refused_calls) == (7, 6, 3)
    parts = LimitEffectOnAgent.objects.order_by("agent__name").values_list("calls", flat=True)
    assert list(parts) == [3, 3]


def test_a_model_that_nobody_calls_refuses_nothing(model: Model) -> None:
    effect = effect_of(model, requests_per_minute=1)
    assert (effect.calls, effect.refused_calls, effect.peak_calls_at) == (0, 0, None)


def test_everybody_sees_what_concerns_their_agents_and_the_peaks_are_for_those_who_govern(
    cast: Cast, model: Model, agents: list[Agent]
) -> None:
    change = effect_of(model, requests_per_minute=3).public_id
    there = f"/api/v1/limit-changes/{change}"
    told = client_of(cast.pat).get(there).json()
    assert (told["calls"], told["refused_calls"], told["peak_calls"]) == (6, 2, 5)
    assert [each["agent"] for each in told["agents"]] == ["of-alice", "of-bob"]
    mine = client_of(cast.alice).get(there).json()
    assert (mine["calls"], mine["refused_calls"], mine["peak_calls"]) == (3, 1, None)
    assert [each["agent"] for each in mine["agents"]] == ["of-alice"]
    assert client_of(cast.mallory).get(there).status_code == 404
    assert client_of(cast.mallory).get("/api/v1/limit-changes").json()["results"] == []
    page = browser_of(cast.alice).get(f"/drift/limits/{change}/").content.decode()
    assert "of-alice" in page
    assert "of-bob" not in page
    assert "Fullest minute" not in page
    assert "Fullest minute" in browser_of(cast.sam).get(f"/drift/limits/{change}/").content.decode()
    listed = browser_of(cast.alice).get("/drift/limits/").content.decode()
    assert "500 requests a minute" in listed
    assert browser_of(cast.mallory).get(f"/drift/limits/{change}/").status_code == 404
    with clock.held_at(NOW):
        impact = browser_of(cast.pat).get(f"/models/{model.public_id}/impact/").content.decode()
    assert "2 of 6 calls" in impact
