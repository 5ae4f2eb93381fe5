"""The people of the stories about drift."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.fleet.evaluations.conftest import gateway, scene, serving  # noqa: F401  the same world

if TYPE_CHECKING:  # Django is not set up yet when this file is read
    from tests.factories import Cast


@pytest.fixture
def cast(db: None) -> Cast:
    from tests.factories import make_cast

    return make_cast()
