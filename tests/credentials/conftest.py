"""Rings of the test's own, so that rotating them disturbs nobody."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from kernel.sealing import ensure_key_rings


@pytest.fixture
def rings(tmp_path: Path, settings: Any) -> Path:
    ensure_key_rings(tmp_path)
    settings.KEYS_DIR = tmp_path
    return tmp_path
