"""The page of a trial in a real browser, in every look: under way, and with what would change."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from policy.bundle import BASE, Bundle, pack_files
from policy.engine import Judge
from tests.browser.looks import EVERY_LOOK, complaints_of, faults_here
from tests.browser.test_steering_pages import opened
from tests.factories import make_agent, make_cast
from tests.rules.decisions import action_facts, call_facts, put_action, put_calls

pytestmark = [
    pytest.mark.browser,
    pytest.mark.django_db(transaction=True),
]
SHOTS = os.environ.get("SCREENSHOTS_DIR", "")


@pytest.fixture
def cast(transactional_db: None) -> Any:
    cast = make_cast()
    agent = make_agent("sorter", owner=cast.alice, backup_owner=cast.bob, stage="live")
    with Judge(deadline_seconds=20) as judge:
        put_calls(
            [(call_facts(), 41), (call_facts(agent_stage="draft"), 7)],
            judge,
            agent_id=agent.public_id,
        )
        put_action(action_facts(), judge, agent_id=agent.public_id)
    return cast


def kept(cast: Any) -> Any:
    from registry.actors import Actor
    from rules.actions.adding import Sources, add_bundle

    files = {path.name: path.read_bytes() for path in BASE.glob("*.rego")}
    files = {name: raw for name, raw in files.items() if not name.endswith("_test.rego")}
    document = json.loads((BASE / "data.json").read_bytes())
    document["settings"]["vendors"]["refused"] = ["acme"]
    document["settings"]["stages"].append("draft")
    document["settings"]["actions"]["reviews"]["usual"]["quorum"] = 2
    bundle = Bundle.unpack(pack_files(files | {"data.json": json.dumps(document).encode()}))
    sam = Actor.of(cast.sam)
    return add_bundle(Sources(bundle), title="Refuse acme", origin="uploaded", actor=sam)


def test_a_trial_is_asked_for_and_read(browser: Any, live_server: Any, cast: Any) -> None:
    from registry.actors import Actor
    from rules.trying.making import try_bundles

    page = opened(browser, live_server, cast.sam)
    heard = complaints_of(page)

    def look(name: str) -> None:
        assert faults_here(page, name, EVERY_LOOK) == []
        if SHOTS:
            page.screenshot(path=Path(SHOTS) / f"{name}.png", full_page=True)

    page.goto(f"{live_server.url}/policies/{kept(cast).public_id}/trials/")
    look("trials")
    page.get_by_role("button", name="Try it").click()
    page.get_by_text("The worker begins in a moment").wait_for()
    look("trial-waiting")
    try_bundles(actor=Actor.system("policy-trials"))
    page.get_by_text("49 of 49 identical").wait_for()
    page.get_by_text("calls.vendor_refused").first.wait_for()
    look("trial")
    page.get_by_label("Every direction").select_option("stricter")
    page.get_by_text("quorum: 1 → 2").wait_for()
    assert heard == []
