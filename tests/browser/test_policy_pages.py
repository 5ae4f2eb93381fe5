"""The pages of the policy in a real browser, in both looks and both widths."""

from __future__ import annotations

from datetime import timedelta
from functools import partial

import pytest

from kernel import clock
from registry.actors import Actor
from rules.actions.shipping import ensure_shipped_bundle
from rules.models import Bundle, Grant
from tests.browser.looks import EVERY_LOOK, faults_of
from tests.browser.test_steering_pages import kept, opened
from tests.factories import make_agent, make_cast, make_vendor

pytestmark = [
    pytest.mark.browser,
    pytest.mark.django_db(transaction=True),
]


def test_the_pages_are_sound_in_every_look(browser, live_server):
    ensure_shipped_bundle(actor=Actor.system("prepare"))
    cast, now, shipped = make_cast(), clock.now(), Bundle.objects.get()
    make_vendor("acme", data_classes=["regulated"])
    agent = make_agent("claims-reader", owner=cast.alice, data_classes=["regulated"])
    Grant.objects.create(
        public_id="grt_a", agent=agent, vendor="acme", data_class="regulated", state="given",
        until=now + timedelta(days=30), asked_by="x:y", asked_at=now, given_at=now,
    )  # fmt: skip
    page = opened(browser, live_server, cast.sam)
    paths = (
        "policies/", "policies/new/", "policies/try/", "policies/grants/", "policies/grants/new",
        f"policies/{shipped.public_id}/", f"policies/{shipped.public_id}/settings/",
    )  # fmt: skip
    pages = {
        path.replace(shipped.public_id, "one").strip("/").replace("/", "-"): f"/{path}"
        for path in paths
    }
    assert faults_of(page, pages, partial(kept, page), EVERY_LOOK) == []
    page.context.close()
