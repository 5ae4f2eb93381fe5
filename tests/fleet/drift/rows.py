"""One row of each table of drift, for the tests of their constraints."""

from __future__ import annotations

from fleet.drift.models import Change, Hour, Watch
from kernel import clock


def make_drift_rows() -> None:
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
