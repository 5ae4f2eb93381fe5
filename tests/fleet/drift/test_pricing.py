"""A changed price is counted once, in money, told to whom it concerns, and shown as far as seen."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from fleet.drift.actions.pricing import count_price_effects
from fleet.drift.models import PriceEffect, PriceEffectOnAgent
from fleet.drift.queries.prices import monthly_differences
from fleet.telling.models import Copy
from kernel import clock
from routing.actions.changes import note_changes, state_of
from routing.models import Model, ModelUse, UsageDay
from tests.factories import (
    Cast,
    browser_of,
    client_of,
    make_agent,
    make_model,
    make_team,
    make_vendor,
    operator,
)

MILLION = 10**6


def used(agent: Any, model: Model, days_ago: int, tokens: int, cost: int) -> None:
    now = clock.now()
    named = {"agent_id": agent.public_id, "route": "r", "vendor": "openai", "model": model.name}
    UsageDay.objects.create(
        **named, day=(now - timedelta(days=days_ago)).date(), calls=10, input_tokens=tokens,
        output_tokens=0, cost_micros=cost,
    )  # fmt: skip
    ModelUse.objects.get_or_create(
        **named, defaults={"first_called_at": now, "last_called_at": now, "calls": 10}
    )


@pytest.fixture
def model(cast: Cast) -> Model:
    model = make_model(
        make_vendor("openai", platform="openai"), "gpt-6.1-sol",
        input_micros_per_mtok=2 * MILLION, output_micros_per_mtok=8 * MILLION,
    )  # fmt: skip
    mine = make_agent("of-alice", owner=cast.alice, team=make_team("Sales"))
    small = make_agent("of-mallory", owner=cast.mallory)
    used(mine, model, 3, 50 * MILLION, 90 * MILLION)  # a part was cached: 90 and not 100
    used(mine, model, 60, 10 * MILLION, 20 * MILLION)
    used(small, model, 3, MILLION, 2 * MILLION)
    return model


def dearer(model: Model, by: int) -> None:
    before = state_of(model)
    model.input_micros_per_mtok = 2 * MILLION * by
    model.save(update_fields=["input_micros_per_mtok"])
    note_changes(model, before, actor=operator().ref)


def test_a_dearer_model_is_counted_once_and_told_above_the_threshold(
    cast: Cast, model: Model
) -> None:
    dearer(model, 2)
    assert [count_price_effects(), count_price_effects()] == [1, 0]
    parts = PriceEffectOnAgent.objects.order_by("-paid_90").values_list(
        "agent__name", "paid_30", "would_30", "paid_90", "would_90", "calls"
    )
    assert list(parts) == [
        ("of-alice", 90 * MILLION, 180 * MILLION, 110 * MILLION, 220 * MILLION, 20),
        ("of-mallory", 2 * MILLION, 4 * MILLION, 2 * MILLION, 4 * MILLION, 10),
    ]
    told = Copy.objects.filter(message__kind="price.changed").order_by("person__email")
    assert [copy.person.email for copy in told if copy.person] == [
        "alice@acme.test", "pat@acme.test",
    ]  # fmt: skip
    assert "paid 92.00 USD in 30 days, would have been 184.00" in told[1].message.lines[0]


@pytest.mark.parametrize(
    "after", [{"input_micros_per_mtok": None}, {"currency": "EUR"}], ids=["no price", "in euros"]
)
def test_a_price_that_cannot_be_compared_comes_to_nothing_that_is_known(
    cast: Cast, model: Model, after: dict[str, Any]
) -> None:
    before = state_of(model)
    Model.objects.filter(pk=model.pk).update(**after)
    model.refresh_from_db()
    note_changes(model, before, actor=operator().ref)
    assert (count_price_effects(), count_price_effects()) == (1, 0)
    effect = PriceEffect.objects.get()
    assert (effect.agents.count(), Copy.objects.count()) == (0, 0)
    page = browser_of(cast.pat).get(f"/drift/prices/{effect.public_id}/").content.decode()
    assert "What it comes to is not known" in page
    assert monthly_differences([effect.change]) == {}


def test_a_trifle_is_counted_and_told_to_nobody(cast: Cast, model: Model) -> None:
    UsageDay.objects.filter(agent_id__contains="agt").update(input_tokens=10, cost_micros=1)
    dearer(model, 3)
    assert count_price_effects() == 1
    assert not Copy.objects.filter(message__kind="price.changed").exists()


def test_everybody_sees_what_their_own_agents_pay_and_platform_sees_all(
    cast: Cast, model: Model
) -> None:
    dearer(model, 2)
    count_price_effects()
    change = PriceEffect.objects.get().public_id
    page = browser_of(cast.pat).get(f"/drift/prices/{change}/").content.decode()
    for words in ("of-mallory", "Sales", "$184.00", "$92.00"):
        assert words in page.replace("Of mallory", "of-mallory"), words
    own = browser_of(cast.mallory).get(f"/drift/prices/{change}/").content.decode()
    assert "Of alice" not in own
    assert "of-alice" not in own
    assert browser_of(cast.bob).get(f"/drift/prices/{change}/").status_code in {200, 404}
    assert "gpt-6.1-sol" in browser_of(cast.mallory).get("/drift/prices/").content.decode()
    place = "/api/v1/price-changes"
    listed = client_of(cast.mallory).get(place).data["results"]
    assert [(one["id"], one["would_30"], one["agent_count"]) for one in listed] == [
        (change, 4 * MILLION, 1)
    ]
    told = client_of(cast.pat).get(f"{place}/{change}").data
    assert [one["agent"] for one in told["agents"]] == ["of-alice", "of-mallory"]
    assert told["teams"][0] | {"agents": 1} == told["teams"][0]
    assert client_of(cast.ann).get(f"{place}/lch_none").status_code == 404
    assert "No price has changed" in browser_of(
        make_agent("other").owner
    ).get("/drift/prices/").content.decode()  # fmt: skip
