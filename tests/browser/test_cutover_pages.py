"""The pages of cutovers in a real browser, in both looks and both widths."""

from __future__ import annotations

from functools import partial

import pytest

from fleet.cutovers.actions.stepping import step_cutovers
from tests.browser.looks import EVERY_LOOK, faults_of
from tests.browser.test_steering_pages import kept, opened
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
    page = opened(browser, live_server, world.cast.pat)
    pages = {
        "cutovers": "/cutovers/", "cutover": f"/cutovers/{cutover.public_id}/", "begin": f"/{new}"
    }  # fmt: skip
    assert faults_of(page, pages, partial(kept, page), EVERY_LOOK) == []
    page.context.close()
