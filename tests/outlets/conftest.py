"""What the tests of the outlets share: a run on record, and a folder of their own.

Django is not set up when this is read, so whatever needs it is imported within.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest


@pytest.fixture
def cast(db: None) -> Any:
    from tests.factories import make_cast

    return make_cast()


@pytest.fixture(autouse=True)
def export_dir(settings: Any, tmp_path: Path) -> Path:
    settings.EXPORT_DIR = tmp_path / "exports"
    return tmp_path / "exports"


@pytest.fixture
def signer(settings: Any) -> Any:
    from ledger.exports.signing import ExportSigner

    return ExportSigner(settings.KEYS_DIR, settings.PUBLIC_URL)


@pytest.fixture
def run(cast: Any) -> Any:
    """A run of alice's agent with three answered calls."""
    from tests.factories import make_agent, make_run
    from tests.ledger.test_verification import call

    agent = make_agent("sorter", owner=cast.alice, backup_owner=cast.bob, stage="live")
    made = make_run(agent, "nightly")
    for _ in range(3):
        call(made.run_id, agent.public_id)
    return made
