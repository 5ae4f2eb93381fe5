"""Something said of a person, and people who may decide what becomes of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest


@pytest.fixture(autouse=True)
def shreds(settings: Any, tmp_path: Path) -> Path:
    """Give each test a shred journal of its own."""
    settings.SHREDS_DIR = tmp_path / "shreds"
    return tmp_path / "shreds"


@pytest.fixture
def cast(db: None) -> Any:
    """Return the people."""
    from tests.factories import make_cast

    return make_cast()


@pytest.fixture
def sue(cast: Any) -> Any:
    """Return a second person of security."""
    return cast.sue


@pytest.fixture
def agent(cast: Any) -> Any:
    """Return an agent of alice's."""
    from tests.factories import make_agent

    return make_agent(owner=cast.alice, backup_owner=cast.bob, stage="live")
