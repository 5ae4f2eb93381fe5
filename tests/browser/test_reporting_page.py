"""How an agent connects and reports, in a real browser: both themes, wide and on a phone."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from kernel import clock
from routing.models import ReportedStep
from tests.browser.looks import EVERY_LOOK, faults_here
from tests.browser.test_steering_pages import kept, opened
from tests.factories import make_agent, make_call, make_cast

pytestmark = [
    pytest.mark.browser,
    pytest.mark.django_db(transaction=True),
]


def test_the_page_says_how_to_trace_and_since_when(browser, live_server, db):
    cast = make_cast()
    agent = make_agent("sorter", owner=cast.alice, backup_owner=cast.bob, stage="live")
    make_call(agent)
    for source in ("otlp", "api"):
        ReportedStep.objects.create(
            entry_id=f"ent_{source}", agent_id=agent.public_id, run_id="run_x", report_key=source,
            source=source, type="tool", name="crm", status="ok", recorded_at=clock.now(),
        )  # fmt: skip
    page = opened(browser, live_server, cast.alice)
    answer = page.goto("/agents/sorter/connect/")
    assert answer is not None
    assert answer.status == 200
    page.get_by_role("tab", name="Tracing").click()
    panel = page.get_by_role("tabpanel", name="Tracing")
    expect(panel).to_contain_text("OTEL_EXPORTER_OTLP_ENDPOINT")
    expect(page.get_by_text("Reports its own steps through its traces since")).to_be_visible()
    kept(page, "connect")
    assert faults_here(page, "connect", EVERY_LOOK) == []
