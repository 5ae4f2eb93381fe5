"""The pages of the policy in a real browser, in both looks and both widths."""

from __future__ import annotations

from datetime import timedelta

import pytest

from kernel import clock
from registry.actors import Actor
from rules.actions.shipping import ensure_shipped_bundle
from rules.models import Bundle, Grant
from tests.browser.test_ledger_page import LOOKS, looked_at
from tests.browser.test_steering_pages import opened
from tests.factories import make_agent, make_cast, make_vendor

pytestmark = [
    pytest.mark.browser,
    pytest.mark.django_db(transaction=True),
]


@pytest.mark.parametrize(("theme", "width"), LOOKS)
def test_the_pages_are_sound_in_this_look(browser, live_server, theme, width):
    ensure_shipped_bundle(actor=Actor.system("prepare"))
    cast, now, shipped = make_cast(), clock.now(), Bundle.objects.get()
    make_vendor("acme", data_classes=["regulated"])
    agent = make_agent("claims-reader", owner=cast.alice, data_classes=["regulated"])
    Grant.objects.create(
        public_id="grt_a", agent=agent, vendor="acme", data_class="regulated", state="given",
        until=now + timedelta(days=30), asked_by="x:y", asked_at=now, given_at=now,
    )  # fmt: skip
    page = opened(browser, live_server, cast.sam, theme=theme, width=width)
    page.set_default_timeout(20_000)
    for path in ("policies/", "policies/new/", "policies/try/", "policies/grants/",
                 "policies/grants/new", f"policies/{shipped.public_id}/",
                 f"policies/{shipped.public_id}/settings/"):  # fmt: skip
        page.goto(f"{live_server.url}/{path}")
        name = path.replace(shipped.public_id, "one").strip("/").replace("/", "-")
        looked_at(page, f"{name}-{theme}-{width}")
    page.context.close()
