"""An agent that acts, and people who judge what it does."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:  # Django is not set up yet when this file is read
    from registry.models import Agent
    from tests.effects.launch.acting import Acts
    from tests.factories import Cast


@pytest.fixture
def cast(db: None) -> Cast:
    from tests.factories import make_cast

    return make_cast()


@pytest.fixture
def agent(cast: Cast) -> Agent:
    from tests.factories import make_agent, make_route

    make_route("sandbox")
    return make_agent(
        "payer", owner=cast.alice, backup_owner=cast.bob, stage="soft_launch", risk_tier="medium"
    )


@pytest.fixture
def acts(agent: Agent) -> Acts:
    from tests.effects.launch.acting import Acts

    return Acts(agent)
