"""``python -m bench.health.probing SECONDS``: the prober, for a while; prints figures."""

from __future__ import annotations

import asyncio
import json
import resource
import sys
import time


def main(seconds: float) -> None:
    """Probe for a while and print how late each probe began, and what it all cost."""
    import django

    django.setup()
    from fleet.health.prober import Prober

    _due_from_now()
    prober = Prober()

    async def run() -> None:
        asyncio.get_running_loop().call_later(seconds, prober.stop)
        await prober.run()

    began, before = time.monotonic(), resource.getrusage(resource.RUSAGE_SELF)
    asyncio.run(run())
    took, after = time.monotonic() - began, resource.getrusage(resource.RUSAGE_SELF)
    late = sorted(prober.lateness)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    found = {
        "probes": len(late),
        "seconds": took,
        "late_ms": {name: 1000 * _at(late, share) for name, share in _SHARES.items()},
        "cpu_share": cpu / took,
        "memory_mb": after.ru_maxrss / 1024,
    }
    sys.stdout.write(json.dumps(found))


def _due_from_now() -> None:
    """Let the first probe be due in a second: what it took to start is nobody's lateness."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE health_check SET due_at = due_at + (now() + interval '1 second'"
            " - (SELECT min(due_at) FROM health_check))"
        )


_SHARES = {"p50": 0.5, "p95": 0.95, "p99": 0.99, "max": 1.0}


def _at(values: list[float], share: float) -> float:
    return values[min(int(share * len(values)), len(values) - 1)] if values else 0.0


if __name__ == "__main__":
    main(float(sys.argv[1]))
