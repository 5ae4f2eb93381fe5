"""Holding a changed rate limit against what agents used of the model in the last 30 days.

Each change is counted once, by the minute: how full the fullest was, and how many calls the new
limits would have refused. What the platform asked in an agent's place fills a minute as well,
and is no agent's. Where tokens are what is over, calls of that minute are taken to be
of its mean length; tokens are those that were used, while vendors count what a call may use.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, Final

from django.db import connection, transaction

from fleet.drift.models import LimitEffect, LimitEffectOnAgent
from kernel import clock
from registry.models import Agent
from routing.models import LifecycleChange, Model

DAYS: Final = 30
_AT_A_SWEEP: Final = 5
_NO_LIMIT: Final = 10**15

# A day's limit is met by the first calls of the day: the rest of that day's are refused.
_JUDGED: Final = """
WITH minutes AS MATERIALIZED (
    SELECT date_trunc('minute', started_at) AS at, count(*) AS calls,
           CASE WHEN made_for = '' THEN agent_id ELSE '' END AS agent_id,
           sum(input_tokens) AS tokens_in, sum(output_tokens) AS tokens_out
    FROM routing_call
    WHERE started_at >= %(since)s AND started_at < %(until)s
      AND vendor = %(vendor)s AND model = %(model)s AND status <> 'denied'
    GROUP BY 1, 3
), whole AS (
    SELECT at, sum(calls) AS calls, sum(tokens_in) AS tokens_in, sum(tokens_out) AS tokens_out,
           sum(sum(calls)) OVER (PARTITION BY (at AT TIME ZONE 'UTC')::date ORDER BY at) AS so_far
    FROM minutes GROUP BY at
), measured AS (
    SELECT at, calls, tokens_in + tokens_out AS tokens,
           greatest(calls - %(requests)s, least(calls, so_far - %(a_day)s), 0) AS by_calls,
           greatest(tokens_in + tokens_out - %(tokens)s, 0) AS over_all,
           greatest(tokens_in - %(input)s, 0) AS over_in,
           greatest(tokens_out - %(output)s, 0) AS over_out, tokens_in, tokens_out
    FROM whole
), judged AS MATERIALIZED (
    SELECT at, calls, tokens, greatest(over_all, over_in + over_out) AS over,
           least(calls, greatest(by_calls,
               ceil(calls * over_all / greatest(tokens, 1)),
               ceil(calls * over_in / greatest(tokens_in, 1)),
               ceil(calls * over_out / greatest(tokens_out, 1)))) AS refused
    FROM measured
)
SELECT '', coalesce(sum(calls), 0), coalesce(sum(refused), 0), coalesce(sum(over), 0),
       coalesce(max(calls), 0), (array_agg(at ORDER BY calls DESC, at))[1],
       coalesce(max(tokens), 0), (array_agg(at ORDER BY tokens DESC, at))[1],
       count(*) FILTER (WHERE refused > 0)
FROM judged
UNION ALL
SELECT minutes.agent_id, sum(minutes.calls),
       round(sum(minutes.calls * judged.refused / judged.calls)),
       0, 0, NULL, 0, NULL, 0
FROM minutes JOIN judged USING (at) WHERE minutes.agent_id <> '' GROUP BY minutes.agent_id
"""
_LIMITS: Final = {
    "requests": "requests_per_minute", "a_day": "requests_per_day", "tokens": "tokens_per_minute",
    "input": "input_tokens_per_minute", "output": "output_tokens_per_minute",
}  # fmt: skip


def count_limit_effects() -> int:
    """Count the changes of limits that were not counted yet; return how many.

    Records: nothing; the change itself is on record.
    """
    since = clock.now() - timedelta(days=DAYS)
    rows = LifecycleChange.objects.filter(
        kind=LifecycleChange.Kind.RATE_LIMIT, model__isnull=False, limit_effect__isnull=True,
        seen_at__gte=since,
    )  # fmt: skip
    found = list(rows.select_related("model__vendor").order_by("id")[:_AT_A_SWEEP])
    return sum(_count(change) for change in found)


@transaction.atomic
def _count(change: LifecycleChange) -> int:
    model = change.model
    assert model is not None  # noqa: S101  only those of models are asked for
    (whole, *parts) = _judged(model, change)
    calls, refused, over, peak_calls, calls_at, peak_tokens, tokens_at, minutes = whole[1:]
    effect, is_new = LimitEffect.objects.get_or_create(
        change=change,
        defaults={
            "public_id": change.public_id, "calls": int(calls), "refused_calls": int(refused),
            "refused_tokens": int(over), "peak_calls": int(peak_calls),
            "peak_calls_at": calls_at, "peak_tokens": int(peak_tokens),
            "peak_tokens_at": tokens_at, "minutes_over": int(minutes),
            "counted_at": clock.now(),
        },
    )  # fmt: skip
    if is_new:
        _keep_parts(effect, parts)
    return int(is_new)


def _judged(model: Model, change: LifecycleChange) -> Sequence[tuple[Any, ...]]:
    asked = _asked(change.after) | {
        "vendor": model.vendor.name, "model": model.name, "until": change.seen_at,
        "since": change.seen_at - timedelta(days=DAYS),
    }  # fmt: skip
    with connection.cursor() as cursor:
        cursor.execute(_JUDGED, asked)
        rows: Sequence[tuple[Any, ...]] = cursor.fetchall()
    return rows


def _asked(limits: Mapping[str, Any]) -> dict[str, Any]:
    # What is not limited, or not known to be, refuses nothing.
    return {name: limits.get(known) or _NO_LIMIT for name, known in _LIMITS.items()}


def _keep_parts(effect: LimitEffect, parts: Sequence[tuple[Any, ...]]) -> None:
    figures = {str(agent): (int(calls), int(refused)) for agent, calls, refused, *_ in parts}
    agents = Agent.objects.filter(public_id__in=figures)
    LimitEffectOnAgent.objects.bulk_create(
        [
            LimitEffectOnAgent(
                effect=effect, agent=agent, calls=figures[agent.public_id][0],
                refused_calls=figures[agent.public_id][1],
            )
            for agent in agents
        ],
        batch_size=500,
    )  # fmt: skip
