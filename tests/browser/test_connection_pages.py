"""The pages of connections and of what is not known, in both looks and both widths."""

from __future__ import annotations

from functools import partial

import pytest

from effects.models import Effect
from kernel import clock
from tests.browser.looks import LOOKS, faults_of
from tests.browser.test_steering_pages import kept, opened
from tests.effects.acts import make_approved, make_connection, make_operation
from tests.factories import make_cast

pytestmark = [
    pytest.mark.browser,
    pytest.mark.django_db(transaction=True),
]


def test_the_pages_are_sound_in_every_look(browser, live_server):
    cast, now = make_cast(), clock.now()
    crm = make_connection(credential="static", credential_settings={"header": "X-Api-Key"})
    operation = make_operation(crm, idempotency="lookup")
    make_connection("books", adapter="postgresql", disabled_at=now)
    proposal = make_approved(operation, state="unknown")
    Effect.objects.create(
        public_id="eff_a", proposal=proposal, key="0190c0de-1111-8222-8333-444455556666", fence=1,
        intent_entry="ent_a", sent_at=now, outcome={"status": "no_answer:broken", "looks": 2},
    )  # fmt: skip
    page = opened(browser, live_server, cast.pat)
    paths = (
        "connections/", "connections/new/", "connections/crm/", "connections/crm/operations/note/",
        "connections/crm/operations/new/?from=note", "effects/unknown/",
        f"effects/unknown/{proposal.public_id}/",
    )  # fmt: skip
    pages = {}
    for path in paths:
        name = path.partition("?")[0].replace(proposal.public_id, "one").strip("/")
        pages[f"effects-{name.replace('/', '-')}"] = f"/{path}"
    assert faults_of(page, pages, partial(kept, page), LOOKS) == []
    page.context.close()


def test_a_dry_run_follows_what_is_written(browser, live_server):
    cast = make_cast()
    make_operation(make_connection(), idempotency="native")
    page = opened(browser, live_server, cast.pat, theme="light", width=1280)
    page.goto(f"{live_server.url}/connections/crm/operations/new/?from=note")
    page.locator("#id_arguments").fill('{"memo": "hello"}')
    page.locator("#dry-run").get_by_text('{"memo":"hello"}').wait_for()
    page.locator("#id_arguments").fill('{"memo": 7}')
    page.locator("#dry-run").get_by_text("memo").wait_for()
    page.context.close()
