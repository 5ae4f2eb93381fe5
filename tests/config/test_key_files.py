"""Keys are made once, and whoever prepares a release spread out makes the same ones."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from config.places import BASE_DIR


def made(data: Path) -> str:
    given = {**os.environ, "UNSPRAWL_DATA_DIR": str(data), "UNSPRAWL_KEYS_DIR": ""}
    return subprocess.run(
        [sys.executable, "-m", "config.key_files"], cwd=BASE_DIR, env=given, check=True,
        capture_output=True, text=True,
    ).stdout  # fmt: skip


def test_what_is_missing_is_made_and_what_is_there_stays(tmp_path: Path) -> None:
    said = made(tmp_path)
    assert "export" in said
    assert "ledger" in said
    keys = tmp_path / "keys"
    before = {file.name: file.read_bytes() for file in keys.iterdir()}
    assert {"export.key", "export.pub", "ledger.key", "payload.key.json"} <= set(before)
    (keys / "export.key").unlink()
    assert made(tmp_path) == "keys: export\n"
    assert made(tmp_path) == "keys: all there\n"
    after = {file.name: file.read_bytes() for file in keys.iterdir()}
    assert {name for name in before if before[name] != after[name]} == {"export.key", "export.pub"}


def test_the_shipped_composition_makes_them_first() -> None:
    assert "python -m config.key_files && python manage.py prepare" in (
        (BASE_DIR / "compose.yaml").read_text(encoding="utf-8")
    )
