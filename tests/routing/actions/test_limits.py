"""Limits that vendors' answers name become one change once they stand, however they come and go."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from kernel import clock
from ledger.models import Entry
from registry.actors import Actor, RoleMissing
from routing.actions.limits import note_limits
from routing.models import LifecycleChange, LimitSeen, Model, ModelLimits
from tests.factories import actor, make_model, make_person, make_vendor

pytestmark = pytest.mark.django_db
SWEEP = Actor.system("vendor-limits")
NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


@pytest.fixture
def model() -> Model:
    return make_model(make_vendor("openai", platform="openai"), "gpt-6-luna")


def say(model: Model, at: datetime, **named: int) -> None:
    LimitSeen.objects.create(model_id=model.public_id, intent_id="ent_1", seen_at=at, **named)


def sweep(at: datetime) -> int:
    with clock.held_at(at):
        return note_limits(actor=SWEEP)


def changes() -> list[tuple[dict[str, Any], dict[str, Any]]]:
    return list(LifecycleChange.objects.order_by("id").values_list("before", "after"))


def test_what_is_named_first_is_known_and_changes_nothing(model: Model) -> None:
    say(model, NOON, requests=500, tokens=30_000)
    assert sweep(NOON + MINUTE) == 0
    limits = ModelLimits.objects.get()
    assert (limits.requests, limits.tokens, limits.input_tokens) == (500, 30_000, None)
    assert changes() == []


def test_another_limit_that_stands_for_ten_minutes_is_one_change_on_record(model: Model) -> None:
    say(model, NOON, requests=500, tokens=30_000)
    sweep(NOON)
    say(model, NOON + MINUTE, requests=200, tokens=30_000)
    assert sweep(NOON + 5 * MINUTE) == 0
    say(model, NOON + 6 * MINUTE, requests=200, tokens=30_000)  # another gateway
    assert sweep(NOON + 12 * MINUTE) == 1
    assert sweep(NOON + 13 * MINUTE) == 0
    change = LifecycleChange.objects.get()
    assert (change.kind, change.model, change.source) == ("rate_limit", model, "vendor's answers")
    assert change.before == {"requests_per_minute": 500, "tokens_per_minute": 30_000}
    assert change.after == {"requests_per_minute": 200, "tokens_per_minute": 30_000}
    (entry,) = Entry.objects.filter(verb="lifecycle.changed")
    facts = json.loads(bytes(entry.header))["facts"]
    assert (facts["kind"], facts["source"]) == ("rate_limit", "vendor's answers")


def test_a_limit_that_comes_and_goes_is_one_fact_the_least_until_it_is_steady_for_a_day(
    model: Model,
) -> None:
    say(model, NOON, requests=500)
    sweep(NOON)
    for number in range(1, 40):
        say(model, NOON + number * MINUTE, requests=(500, 200)[number % 2])
        sweep(NOON + number * MINUTE)
    last = NOON + 40 * MINUTE
    assert changes() == [({"requests_per_minute": 500}, {"requests_per_minute": 200})]
    assert ModelLimits.objects.get().is_wavering
    say(model, last, requests=500)
    assert sweep(last + timedelta(hours=23)) == 0
    assert sweep(last + timedelta(hours=25)) == 1
    assert changes()[1:] == [({"requests_per_minute": 200}, {"requests_per_minute": 500})]
    assert not ModelLimits.objects.get().is_wavering
    assert LimitSeen.objects.count() <= 2


def test_values_that_are_made_up_anew_each_time_never_count(model: Model) -> None:
    say(model, NOON, requests=500)
    sweep(NOON)
    for number in range(1, 30):
        say(model, NOON + number * MINUTE, requests=1000 + number)
        assert sweep(NOON + number * MINUTE) == 0
    assert changes() == []


def test_an_answer_that_leaves_one_limit_out_takes_nothing_back(model: Model) -> None:
    say(model, NOON, requests=500, tokens=30_000)
    say(model, NOON + MINUTE, tokens=30_000)
    say(model, NOON + 2 * MINUTE, requests=500, tokens=30_000)
    sweep(NOON + 20 * MINUTE)
    limits = ModelLimits.objects.get()
    assert (limits.requests, limits.tokens, limits.is_wavering) == (500, 30_000, False)
    assert changes() == []


def test_a_limit_named_for_the_first_time_beside_others_is_no_change(model: Model) -> None:
    say(model, NOON, requests=500)
    sweep(NOON)
    say(model, NOON + MINUTE, requests=500, input_tokens=9_000)
    assert sweep(NOON + 20 * MINUTE) == 0
    assert ModelLimits.objects.get().input_tokens == 9_000


def test_where_requests_are_of_a_day_it_says_so() -> None:
    model = make_model(make_vendor("groq", platform="groq"), "llama")
    say(model, NOON, requests=14_400, tokens=6_000)
    sweep(NOON)
    say(model, NOON + MINUTE, requests=1_000, tokens=6_000)
    sweep(NOON + 20 * MINUTE)
    ((before, after),) = changes()
    assert (before["requests_per_day"], after["requests_per_day"]) == (14_400, 1_000)


def test_of_a_model_that_is_gone_nothing_is_kept(model: Model) -> None:
    LimitSeen.objects.create(model_id="mod_gone", requests=5, intent_id="ent_1", seen_at=NOON)
    assert sweep(NOON) == 0
    assert LimitSeen.objects.count() == 0


def test_only_the_sweep_and_the_platform_settle_limits() -> None:
    with pytest.raises(RoleMissing):
        note_limits(actor=actor(make_person("sam", "security")))
