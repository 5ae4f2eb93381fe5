"""One pass of the verifier in a process of its own: prints entries, seconds, memory as JSON."""

from __future__ import annotations

import json
import resource
import sys
import time

import django


def main() -> None:
    """Check everything that is recorded, and say how long it took."""
    django.setup()
    from ledger.verification import verify_all

    started = time.perf_counter()
    verdict = verify_all()
    seconds = time.perf_counter() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    said = {
        "entries": verdict.entries,
        "payloads": verdict.payloads,
        "bad": verdict.bad,
        "seconds": round(seconds, 3),
        "peak_mib": round(peak, 1),
    }
    json.dump(said, sys.stdout)


if __name__ == "__main__":
    main()
