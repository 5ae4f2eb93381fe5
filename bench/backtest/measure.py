"""How fast a bundle is tried on past decisions: recorded calls, and actions with payloads."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Final

from bench.effort import Effort
from bench.gateway.rig import ROOT
from bench.portal.site import Site

LIMIT: Final = 5000  # decisions a second, on two cores
_OF_A_HUNDRED: Final = 1  # distinct questions among so many decisions of calls
_ACTIONS: Final = 40  # one action for so many entries of the ledger


def measure(effort: Effort) -> dict[str, Any]:
    """Try a stricter bundle on recorded calls, then on actions, each distinct."""
    with tempfile.TemporaryDirectory(prefix="unsprawl-bench-") as home:
        site = Site(Path(home))
        try:
            site.start()
            told = site.rig.environment(
                DJANGO_SETTINGS_MODULE="config.settings",
                UNSPRAWL_OPENS="payload",
                DATABASE_URL=site.rig.owner,
            )
            command = [
                sys.executable, "-m", "bench.backtest.trying",
                str(effort.calls), str(max(effort.calls * _OF_A_HUNDRED // 100, 1)),
                str(max(effort.entries // _ACTIONS, 1)),
            ]  # fmt: skip
            said = subprocess.run(
                command, cwd=ROOT, env=told, stdout=subprocess.PIPE, check=True
            ).stdout
            cells: list[dict[str, Any]] = json.loads(said)
            return {"limit": LIMIT, "cells": cells}
        finally:
            site.stop()
