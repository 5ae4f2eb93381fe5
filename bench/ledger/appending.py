"""One process that records as fast as it is let: prints entries, seconds and waits as JSON.

Each caller waits until its entry is durable before it records the next, in the stream of a
run of its own. With a journal for each caller every commit holds one entry; callers that
share a journal share its commits.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import time
from typing import Final

from config.logs import configure_logging
from kernel import clock
from kernel.refs import Ref, new_id
from ledger.entries import Fact, Fields
from ledger.journal import Journal

_AN_ENTRY_A_RUN: Final = 50
_FACTS: Final[dict[str, Fact]] = {
    "bundle": "sha256:" + "5a" * 32,
    "input": "sha256:" + "a5" * 32,
    "rule": "allow",
    "operation": "chat",
    "route": "draft",
    "requested_model": "draft",
    "vendor": "bench",
    "model": "bench-1",
    "region": "",
    "key": "key_bench",
    "streamed": False,
}


async def _record(journal: Journal, agent: str, until: float, waits: list[float]) -> None:
    run, written = new_id("run"), 0
    while (started := time.perf_counter()) < until:
        fields = Fields(
            kind="intent",
            verb="call.intended",
            actor=Ref("agent", agent),
            subject=Ref("model", "mdl_bench"),
            recorded_at=clock.now(),
            agent_id=agent,
            facts=_FACTS,
        )
        await journal.append(fields, stream=run, is_first=not written)
        waits.append(time.perf_counter() - started)
        written += 1
        if written == _AN_ENTRY_A_RUN:
            run, written = new_id("run"), 0


async def _all(journals: int, callers: int, seconds: float) -> dict[str, object]:
    address = os.environ["DATABASE_URL"]
    opened = [Journal(address, process=f"bench-{os.getpid()}-{at}") for at in range(journals)]
    for journal in opened:
        await journal.open()
    agent, waits = new_id("agt"), list[float]()
    started = time.perf_counter()
    until = started + seconds
    await asyncio.gather(
        *(_record(opened[at % journals], agent, until, waits) for at in range(callers))
    )
    took = time.perf_counter() - started
    for journal in opened:
        await journal.close()
    return {"entries": len(waits), "seconds": took, "waits_ms": [round(w * 1e3, 3) for w in waits]}


def main() -> None:
    """Record for so many seconds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--journals", type=int, required=True)
    parser.add_argument("--callers", type=int, required=True)
    parser.add_argument("--seconds", type=float, required=True)
    given = parser.parse_args()
    configure_logging("ERROR")
    json.dump(asyncio.run(_all(given.journals, given.callers, given.seconds)), sys.stdout)


if __name__ == "__main__":
    main()
