"""One row of each table of drift, for the tests of their constraints."""

from __future__ import annotations

from fleet.drift.models import (
    Change,
    Hour,
    LimitEffect,
    LimitEffectOnAgent,
    PriceEffect,
    PriceEffectOnAgent,
    Probe,
    ProbePlan,
    Round,
    Watch,
)
from fleet.evaluations.models import GoldenCase
from kernel import clock
from routing.models import LifecycleChange, Model


def make_drift_rows(golden: GoldenCase, model: Model) -> None:
    now = clock.now()
    watch = Watch.objects.create(
        public_id="wat_x", route="r", vendor="v", model="m", first_at=now, last_at=now
    )
    Hour.objects.create(
        watch=watch, starts_at=now, calls=1, failed=0, substituted=0, median_ms=1, late_ms=1,
        tokens=1, cost_micros=1,
    )  # fmt: skip
    Change.objects.create(
        public_id="chg_x", watch=watch, figure="errors", before=0.0, after=1.0, calls=60,
        score=9.0, seen_at=now,
    )  # fmt: skip
    plan = ProbePlan.objects.create(
        public_id="pbp_x", watch=watch, agent=golden.agent, model=model, cron="0 6 * * *",
        cap_micros=1, since=now, next_at=now, added_by="person:per_x", added_at=now,
    )  # fmt: skip
    Change.objects.create(
        public_id="chg_y", watch=watch, plan=plan, figure="quality", before=0.0, after=1.0,
        calls=3, score=4.0, seen_at=now,
    )  # fmt: skip
    asked = Round.objects.create(public_id="rnd_x", plan=plan, began_at=now)
    Probe.objects.create(public_id="prb_x", round=asked, golden=golden, asked_at=now)
    change = LifecycleChange.objects.create(public_id="lch_y", kind="price", seen_at=now)
    effect = PriceEffect.objects.create(
        public_id="lch_y", change=change, currency="USD", counted_at=now
    )
    PriceEffectOnAgent.objects.create(
        effect=effect, agent=golden.agent, calls=1, paid_30=1, would_30=1, paid_90=1, would_90=1
    )
    limited = LimitEffect.objects.create(
        public_id="lch_y", change=change, calls=1, peak_calls=1, peak_tokens=1, minutes_over=0,
        refused_calls=0, refused_tokens=0, counted_at=now,
    )  # fmt: skip
    LimitEffectOnAgent.objects.create(effect=limited, agent=golden.agent, calls=1, refused_calls=0)
