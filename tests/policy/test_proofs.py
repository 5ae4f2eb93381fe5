from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from policy.bundle import BASE
from policy.engine import Judge
from policy.errors import BundleUnusable


def changed(directory: Path, path: str, value: Any) -> Path:
    shutil.copytree(BASE, directory)
    document = json.loads((BASE / "data.json").read_bytes())
    *parents, last = path.split("/")
    place = document["settings"]["actions"]
    for name in parents:
        place = place[name]
    if value is None:
        del place[last]
    else:
        place[last] = value
    (directory / "data.json").write_text(json.dumps(document))
    return directory


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("money/limits/EUR/ask_above", "500"),
        ("money/limits/*", None),
        ("hours/days", "mon"),
        ("rate/refuse/hour", None),
        ("ask/new", None),
        ("reviews/usual/quorum", True),
        ("stages", [1]),
    ],
)
def test_settings_that_would_ask_nobody_are_no_bundle(
    tmp_path: Path, path: str, value: Any
) -> None:
    directory = changed(tmp_path / "bundle", path, value)
    with pytest.raises(BundleUnusable, match="unsprawl/actions/settings_sound"):
        Judge(directory)


def test_a_currency_without_limits_of_its_own_has_those_of_all_others(tmp_path: Path) -> None:
    with Judge(changed(tmp_path / "bundle", "money/limits/EUR", None)) as judge:
        assert judge.bundle_digest
