"""The pages of exports and feeds in a real browser, in both looks and both widths."""

from __future__ import annotations

from functools import partial

import pytest

from kernel import clock
from outlets.models import Export, Feed, Schedule, Target
from tests.browser.looks import EVERY_LOOK, faults_of
from tests.browser.test_steering_pages import kept, opened
from tests.factories import make_cast

pytestmark = [
    pytest.mark.browser,
    pytest.mark.django_db(transaction=True),
]


def test_the_pages_are_sound_in_every_look(browser, live_server):
    cast, now = make_cast(), clock.now()
    given = {
        "scope": {"run": "run_x"}, "with_payloads": True, "reason": "Audit of the year.",
        "asked_by": str(cast.sam.ref), "asked_at": now,
    }  # fmt: skip
    Export.objects.create(
        public_id="exp_a", title="The whole ledger", state="writing", entries=7300, expected=9000,
        size=88_000_000, **given,
    )  # fmt: skip
    Export.objects.create(
        public_id="exp_b", title="Agent invoice-sorter", state="ready", sha256="ab" * 32,
        finished_at=now, expires_at=now, **given,
    )  # fmt: skip
    Feed.objects.create(
        public_id="fed_a", name="splunk", kind="http", format="hec", added_at=now,
        address="https://hec.example/services/collector/event", added_by="x:y", failures=3,
        failure="It answered 503.", failing_since=now, again_at=now,
    )  # fmt: skip
    vault = Target.objects.create(
        public_id="tgt_a", name="vault", kind="s3", endpoint="https://s3.eu-central-1.example",
        bucket="unsprawl-log", prefix="log/", region="eu-central-1", access_key="AKIAEXAMPLE",
        lock_days=365, added_by="x:y", added_at=now,
    )  # fmt: skip
    Schedule.objects.create(
        public_id="sch_a", target=vault, every="day", with_payloads=True, next_at=now,
        reason="Kept outside for the auditors.", added_by="x:y", added_at=now, late_since=now,
    )  # fmt: skip
    Export.objects.create(
        public_id="exp_c", title="What is new since the last copy, to vault", state="failed",
        failure="The storage did not answer.", target=vault, finished_at=now, **given,
    )  # fmt: skip
    page = opened(browser, live_server, cast.pat)
    paths = (
        "exports/", "exports/new/", "exports/exp_a/", "exports/exp_b/", "exports/targets/",
        "exports/targets/new/", "exports/targets/tgt_a/", "feeds/", "feeds/new/", "feeds/fed_a/",
    )  # fmt: skip
    pages = {f"outlets-{path.strip('/').replace('/', '-')}": f"/{path}" for path in paths}
    assert faults_of(page, pages, partial(kept, page), EVERY_LOOK) == []
    page.context.close()
