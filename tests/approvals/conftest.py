"""What every story about reviews starts from: the cast, and a draft of alice's."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:  # Django is not set up yet when this file is read
    from registry.models import Agent
    from tests.factories import Cast


@pytest.fixture
def cast(db: None) -> Cast:
    from tests.factories import make_cast

    return make_cast()


@pytest.fixture
def draft(cast: Cast) -> Agent:
    from tests.factories import make_agent, make_route

    make_route("sandbox")
    return make_agent("invoice-sorter", owner=cast.alice, backup_owner=cast.bob)
