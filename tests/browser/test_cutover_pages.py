"""The pages of cutovers in a real browser, in both looks and both widths."""

from __future__ import annotations

import pytest

from fleet.cutovers.actions.stepping import step_cutovers
from tests.browser.test_ledger_page import LOOKS, looked_at
from tests.browser.test_steering_pages import opened
from tests.fleet.cutovers.world import SWEEP, World

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def test_the_pages_are_sound_in_every_look(browser, live_server):
    world = World()
    agents = [world.agent(f"agent-{number}") for number in range(3)]
    cutover = world.started(*agents)
    for agent in agents:
        world.calls(agent, "source", 30, contract="kept", duration_ms=400, cost_micros=900)
        world.calls(agent, "target", 8, contract="kept", duration_ms=350, cost_micros=600)
    step_cutovers(actor=SWEEP)
    for agent in agents:
        world.calls(agent, "target", 12, contract="kept", duration_ms=500, cost_micros=700)
    step_cutovers(actor=SWEEP)
    new = f"cutovers/new/?model={world.source.public_id}&to={world.target.public_id}&group=yes"
    for theme, width in LOOKS:
        page = opened(browser, live_server, world.cast.pat, theme=theme, width=width)
        page.set_default_timeout(20_000)
        for name, path in (
            ("cutovers", "cutovers/"),
            ("cutover", f"cutovers/{cutover.public_id}/"),
            ("begin", new),
        ):
            page.goto(f"{live_server.url}/{path}")
            looked_at(page, f"{name}-{theme}-{width}")
        page.context.close()
