"""What the tests of cutovers share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.fleet.cutovers.world import World


@pytest.fixture
def world() -> World:
    from tests.fleet.cutovers.world import World  # Django is set up after this file is read

    return World()
