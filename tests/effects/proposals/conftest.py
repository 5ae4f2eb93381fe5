"""A story for each test, and no judge that outlives its test."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:  # Django is not set up yet when this file is read
    from tests.effects.proposals.story import Story


@pytest.fixture
def story(db: None) -> Story:
    from tests.effects.proposals.story import make_story

    return make_story()
