"""Whom the end of a model touches: by what was called, what answered, and what is declared."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

import pytest

from fleet.campaigns.queries.impact import Exposure, exposure_of, impact_of
from kernel import clock
from registry.models import Agent
from routing.actions.usage import count_usage
from routing.models import Model
from tests.factories import (
    Cast,
    actor,
    make_agent,
    make_call,
    make_cast,
    make_manifest,
    make_model,
    make_route,
    make_vendor,
    operator,
)
from tests.transactions import wait_for_open_transactions

# Calls are counted once committed.
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def cast() -> Cast:
    return make_cast()


@pytest.fixture
def gpt5() -> Model:
    return make_model(make_vendor("openai"), "gpt-5")


def touching(model: Model) -> dict[str, list[str]]:
    wait_for_open_transactions()
    count_usage(actor=operator())
    return {each.name: each.ways for each in impact_of(model).agents}


def agents(cast: Cast, names: Iterable[str], route: str = "elsewhere") -> list[Agent]:
    return [
        make_agent(
            name, owner=cast.alice, stage="live",
            manifest=make_manifest(name, models=[{"alias": "default", "route": route}]),
        )
        for name in names
    ]  # fmt: skip


def test_an_agent_is_touched_by_name_alias_route_fallback_and_substitution(
    cast: Cast, gpt5: Model
) -> None:
    by_name, by_alias, by_route, fell_back, rerouted = agents(
        cast, ["by-name", "by-alias", "by-route", "fell-back", "rerouted"]
    )
    asked = {"vendor": "openai", "model": "gpt-5"}
    make_call(by_name, **asked, requested_model="openai/gpt-5", route="openai/gpt-5")
    make_call(by_alias, **asked, requested_model="newest", route="summarise")
    make_call(by_route, **asked, requested_model="summarise", route="summarise")
    first = make_call(fell_back, vendor="mistral", model="large", status="error")
    make_call(fell_back, **asked, attempt=2, call_id=first.intent_id, fallback_reason="http_500")
    make_call(rerouted, vendor="openai", model="gpt-4", reported_model="gpt-5", is_substituted=True)
    assert touching(gpt5) == {
        "by-name": ["name"],
        "by-alias": ["alias"],
        "by-route": ["route"],
        "fell-back": ["fallback"],
        "rerouted": ["substitution"],
    }


def test_gemini_rerouted_at_http_200_touches_the_model_that_answered(cast: Cast) -> None:
    google = make_vendor("google")
    asked, answered = make_model(google, "gemini-2.5-pro"), make_model(google, "gemini-3-pro")
    (agent,) = agents(cast, ["summaries"])
    make_call(
        agent, vendor="google", model="gemini-2.5-pro", reported_model="gemini-3-pro",
        is_substituted=True, http_status=200,
    )  # fmt: skip
    assert touching(asked) == {"summaries": ["route"]}
    assert touching(answered) == {"summaries": ["substitution"]}


def test_the_version_behind_a_vendors_alias_is_touched_too(cast: Cast, gpt5: Model) -> None:
    snapshot = make_model(gpt5.vendor, "gpt-5-2025-08-07")
    (agent,) = agents(cast, ["sorter"])
    make_call(agent, vendor="openai", model="gpt-5", reported_model="gpt-5-2025-08-07")
    assert touching(snapshot) == {"sorter": ["alias"]}


def test_what_a_manifest_names_is_declared_by_route_alias_fallback_or_pin(
    cast: Cast, gpt5: Model
) -> None:
    make_route("summarise", gpt5, aliases=["newest"])
    agents(cast, ["by-route"], "summarise")
    agents(cast, ["by-alias"], "newest")
    agents(cast, ["by-pin"], "openai/gpt-5")
    agents(cast, ["other"], "elsewhere")
    late = make_agent("late", owner=cast.bob, routes=["elsewhere", "summarise"])
    declared = {name: ["declared"] for name in ("by-route", "by-alias", "by-pin", "late")}
    assert touching(gpt5) == declared
    Agent.objects.filter(pk=late.pk).update(routes=["elsewhere"])
    assert "late" not in touching(gpt5)


def test_what_was_called_longer_ago_and_agents_that_are_retired_are_left_out(
    cast: Cast, gpt5: Model
) -> None:
    (agent,) = agents(cast, ["once"])
    gone = make_agent("gone", owner=cast.alice, stage="retired")
    asked = {"vendor": "openai", "model": "gpt-5"}
    make_call(agent, **asked, started_at=clock.now() - timedelta(days=91))
    make_call(gone, **asked)
    assert touching(gpt5) == {}


def test_sums_are_of_every_agent_and_figures_of_each(cast: Cast, gpt5: Model) -> None:
    one, two = agents(cast, ["one", "two"])
    Agent.objects.filter(pk=two.pk).update(owner=cast.bob)
    for _ in range(3):
        make_call(one, vendor="openai", model="gpt-5", cost_micros=700)
    make_call(two, vendor="openai", model="gpt-5", cost_micros=50)
    make_route("summarise", gpt5)
    agents(cast, ["three"], "summarise")
    wait_for_open_transactions()
    count_usage(actor=operator())
    found = impact_of(gpt5, limit=1)
    assert found.exposure == Exposure(agents=3, calling=2, owners=2, calls=4, cost_micros=2150)
    assert (found.others, found.agents[0].name, found.agents[0].figures.cost_micros) == (
        2, "one", 2100,
    )  # fmt: skip
    other = make_model(gpt5.vendor, "unused")
    assert exposure_of([gpt5, other]) == {
        gpt5.public_id: found.exposure,
        other.public_id: Exposure(),
    }


def test_an_owner_is_told_of_their_own_agents_and_mallory_of_none(cast: Cast, gpt5: Model) -> None:
    (one,) = agents(cast, ["one"])
    make_call(one, vendor="openai", model="gpt-5")
    wait_for_open_transactions()
    count_usage(actor=operator())
    seen = {
        person.name: [each.name for each in impact_of(gpt5, viewer=actor(person)).agents]
        for person in (cast.alice, cast.mallory, cast.sam, cast.ann)
    }
    assert seen == {"Alice": ["one"], "Mallory": [], "Sam": ["one"], "Ann": ["one"]}
    assert exposure_of([gpt5], viewer=actor(cast.mallory))[gpt5.public_id] == Exposure()
