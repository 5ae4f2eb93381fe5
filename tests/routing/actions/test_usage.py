"""Counting calls into days: each once, also with racing counters and late commits."""

from __future__ import annotations

import threading
from datetime import UTC, date, datetime, timedelta
from typing import Any

import psycopg
import pytest
from django.db import connection
from django.db.models import Sum

from kernel import clock
from registry.actors import Actor, RoleMissing
from routing.actions.usage import count_usage as count_at_once
from routing.models import (
    Call,
    ModelUse,
    UsageDay,
    UsageFallback,
    UsageMark,
    UsageMonth,
    UsageRecent,
    UsageRoute,
    UsageTotal,
)
from routing.tasks import count_usage as sweep
from tests.factories import actor, make_agent, make_call, make_person, operator
from tests.transactions import wait_for_open_transactions


def count_usage(**given: Any) -> int:
    wait_for_open_transactions()
    return count_at_once(**given)


pytestmark = pytest.mark.django_db(transaction=True)
MORNING = datetime(2026, 11, 20, 8, tzinfo=UTC)


@pytest.fixture
def agent():
    return make_agent()


def total(name: str = "calls") -> int:
    return UsageDay.objects.aggregate(total=Sum(name))["total"] or 0


def test_calls_become_days_with_tokens_cost_errors_and_denials(agent):
    make_call(agent, started_at=MORNING)
    make_call(agent, started_at=MORNING, status="error", cost_micros=None)
    make_call(agent, started_at=MORNING, status="cancelled", cost_micros=7)
    make_call(agent, started_at=MORNING, vendor="", model="", status="denied", cost_micros=None)
    assert count_usage(actor=operator()) == 4
    served, refused = UsageDay.objects.order_by("-vendor")
    assert (served.day, served.calls, served.errors, served.denied) == (date(2026, 11, 20), 3, 1, 0)
    assert (served.cost_micros, served.unpriced_calls, served.duration_ms) == (107, 1, 60)
    assert (served.input_tokens, served.output_tokens) == (30, 15)
    assert (refused.calls, refused.denied, refused.unpriced_calls) == (0, 1, 0)
    use = ModelUse.objects.get()
    assert (use.model, use.calls, use.last_called_at) == ("acme-1", 3, MORNING)


def test_a_call_that_went_on_is_one_call_and_every_attempt_costs(agent):
    first = make_call(agent, started_at=MORNING, status="error", http_status=429, vendor="a")
    later = {"started_at": MORNING, "call_id": first.intent_id, "fallback_reason": "http_429"}
    make_call(agent, attempt=2, status="incomplete", error_code="vendor_slow", vendor="b", **later)
    count_usage(actor=operator())
    assert UsageTotal.objects.values_list("calls", "errors").get() == (1, 1)
    later["fallback_reason"] = "vendor_slow"
    make_call(agent, attempt=3, vendor="c", **later)
    make_call(agent, attempt=0, is_shadow=True, status="error", vendor="d", **later)
    count_usage(actor=operator())
    sums = UsageTotal.objects.values_list("calls", "errors", "cost_micros", "input_tokens")
    assert sums.get() == (1, 0, 400, 40)
    routes = UsageRoute.objects.order_by("vendor").values_list("vendor", "calls", "attempts")
    assert list(routes) == [("a", 0, 1), ("b", 0, 1), ("c", 1, 1), ("d", 0, 1)]
    gone_on = UsageFallback.objects.order_by("vendor").values_list("vendor", "reason", "calls")
    assert list(gone_on) == [("a", "http_429", 1), ("b", "vendor_slow", 1)]
    assert sorted(UsageDay.objects.values_list("vendor", "calls", "errors")) == [
        ("a", 0, 0),
        ("b", 0, 0),
        ("c", 1, 0),
        ("d", 0, 0),
    ]


def test_a_target_that_was_left_alone_is_counted_without_an_attempt(agent):
    make_call(agent, started_at=MORNING, fallback_reason="breaker_open")
    count_usage(actor=operator())
    gone_on = UsageFallback.objects.values_list("vendor", "reason", "calls")
    assert gone_on.get() == ("", "breaker_open", 1)


def test_days_add_up_to_the_fleets_and_to_each_agents_month(agent):
    other = make_agent("other")
    for who, day in ((agent, 1), (agent, 20), (other, 20)):
        make_call(who, started_at=datetime(2026, 11, day, tzinfo=UTC))
        count_usage(actor=operator())
    make_call(agent, started_at=datetime(2026, 10, 31, tzinfo=UTC), status="error")
    count_usage(actor=operator())
    by_day = dict(UsageTotal.objects.values_list("day", "calls"))
    assert by_day == {date(2026, 10, 31): 1, date(2026, 11, 1): 1, date(2026, 11, 20): 2}
    months = UsageMonth.objects.filter(agent_id=agent.public_id).order_by("month")
    assert [(row.month, row.calls, row.errors, row.cost_micros) for row in months] == [
        (date(2026, 10, 1), 1, 1, 100),
        (date(2026, 11, 1), 2, 0, 200),
    ]


def recent() -> dict[str, tuple[int, int, int]]:
    rows = UsageRecent.objects.values_list("agent_id", "calls_week", "errors_week", "cost_month")
    return {str(agent): (calls, errors, cost) for agent, calls, errors, cost in rows}


def test_each_agents_last_days_are_summed_as_calls_come_in(agent):
    other = make_agent("other")
    for ago in (0, 6, 7, 29, 30):
        make_call(agent, started_at=clock.now() - timedelta(days=ago))
        count_usage(actor=operator())
    make_call(other, status="denied", cost_micros=None)
    make_call(agent, cost_micros=None)
    make_call(agent, status="error", started_at=clock.now() - timedelta(days=1))
    make_call(agent, status="error", started_at=clock.now() - timedelta(days=8))
    count_usage(actor=operator())
    assert recent() == {agent.public_id: (4, 1, 600), other.public_id: (0, 0, 0)}


def test_the_first_count_of_a_day_lets_go_of_what_is_no_longer_recent(agent):
    other = make_agent("other")
    make_call(other, started_at=clock.now() - timedelta(days=40))
    make_call(agent, started_at=clock.now() - timedelta(days=6))
    make_call(agent)
    count_usage(actor=operator())
    # As the days before would have left it, with nothing new to count today.
    today = clock.now().date()
    UsageMark.objects.update(recent_on=today - timedelta(days=1))
    UsageRecent.objects.update(calls_week=9, errors_week=9, cost_month=9)
    UsageRecent.objects.create(agent_id=other.public_id, calls_week=1, cost_month=1)
    assert count_usage(actor=operator()) == 0
    assert recent() == {agent.public_id: (2, 0, 200)}
    assert UsageMark.objects.get().recent_on == today


def test_a_day_is_a_day_in_utc(agent):
    make_call(agent, started_at=datetime(2026, 11, 20, 23, 59, 59, tzinfo=UTC))
    make_call(agent, started_at=datetime(2026, 11, 21, 0, 0, 0, tzinfo=UTC))
    count_usage(actor=operator())
    assert sorted(UsageDay.objects.values_list("day", flat=True)) == [
        date(2026, 11, 20),
        date(2026, 11, 21),
    ]


def test_counting_again_counts_nothing_twice(agent):
    make_call(agent)
    assert count_usage(actor=operator()) == 1
    assert count_usage(actor=operator()) == 0
    make_call(agent)
    wait_for_open_transactions()
    sweep()
    assert total() == 2
    assert ModelUse.objects.get().calls == 2


def test_a_backlog_is_taken_in_batches(agent):
    for _ in range(7):
        make_call(agent)
    assert count_usage(actor=operator(), batch=2) == 7
    assert total() == 7


def test_a_call_that_commits_late_is_not_left_out(agent, owner_address):
    # The earlier transaction has the smaller ids and is still open when the later commits.
    columns = (
        "intent_id, run_id, agent_id, key_id, route, requested_model, vendor, model,"
        " reported_model, status, http_status, error_code, streamed, input_tokens,"
        " output_tokens, cached_tokens, usage_estimated, currency, started_at, duration_ms"
    )
    with psycopg.connect(owner_address) as early:
        early.execute(
            f"INSERT INTO routing_call ({columns}) VALUES"
            " ('ent_early', 'run_1', 'agt_1', '', 'r', 'r', 'v', 'm', '', 'ok', 200, '', false,"
            " 1, 1, 0, false, 'USD', now(), 1)"
        )
        make_call(agent)
        count_at_once(actor=operator())
        assert total() == 0
    assert count_usage(actor=operator()) == 2
    assert total() == 2


def test_racing_counters_agree(agent):
    for _ in range(60):
        make_call(agent)
    gate = threading.Barrier(4)

    def count() -> None:
        gate.wait()
        count_usage(actor=operator(), batch=7)
        connection.close()

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    count_usage(actor=operator())
    assert total() == Call.objects.count() == 60
    assert ModelUse.objects.get().calls == 60
    assert UsageTotal.objects.get().calls == UsageMonth.objects.get().calls == 60
    assert UsageRecent.objects.get().calls_week == 60


def test_a_restored_database_is_noticed_and_nothing_is_miscounted(agent, caplog):
    count_usage(actor=operator())
    UsageMark.objects.update(xid=2**40)
    make_call(agent)
    assert count_usage(actor=operator()) == 0
    assert "usage.mark_ahead" in caplog.text


def test_counting_is_for_the_sweep_and_the_platform():
    with pytest.raises(RoleMissing):
        count_usage(actor=actor(make_person()))
    assert count_usage(actor=Actor.system("usage-count")) == 0
