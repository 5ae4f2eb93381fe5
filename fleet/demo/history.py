"""Ninety days of calls that the demo company says it made.

They go through the gateway's own recorder into the ledger, with the clock held at the
moment they speak of. No vendor is called: the texts say that they are demo data.
"""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

from psycopg import AsyncConnection

from fleet.demo.company import Plan
from kernel import clock
from kernel.refs import new_id
from kernel.sealing import RingFile
from ledger.datakeys import DataKeySource
from ledger.journal import Journal
from policy.bundle import BASE
from policy.engine import Judge
from routing.gateway.authenticate import Caller
from routing.gateway.decide import Decider
from routing.gateway.metering import Usage
from routing.gateway.recording.attempt import Attempt, Outcome, Subject
from routing.gateway.recording.facts import Refusal, decided_facts
from routing.gateway.recording.recorder import Recorder
from routing.gateway.resolve import in_order
from routing.gateway.runs import run_named
from routing.gateway.snapshot import Snapshot
from routing.snapshot import SnapshotReading

DAYS: Final = 90
AT_ONCE: Final = 200
_SEED: Final = 20261121
_TRUTH: Final = "Demo data: no model was called for this."


@dataclass(frozen=True, slots=True)
class Told:
    """One call of the past, before it is recorded."""

    plan: Plan
    key: str
    label: str
    at: datetime


def tell(
    keys: list[tuple[Plan, str]], *, address: str, keys_dir: Path, say: Callable[[str], None]
) -> int:
    """Record the calls of the last ninety days; return how many."""
    return asyncio.run(_tell(keys, address, keys_dir, say))


async def _tell(
    keys: list[tuple[Plan, str]], address: str, keys_dir: Path, say: Callable[[str], None]
) -> int:
    chance = random.Random(_SEED)  # noqa: S311  a believable spread, not a secret
    snapshot = await _snapshot(address)
    journal = Journal(address, process="demo", prefix="demo")
    await journal.open()
    recorder = Recorder(journal, DataKeySource(RingFile(keys_dir, "payload").current))
    judge = await asyncio.to_thread(Judge, BASE)
    decider = Decider(judge)
    told = sorted(_calls(keys, chance), key=lambda call: call.at)
    try:
        for start in range(0, len(told), AT_ONCE):
            part = told[start : start + AT_ONCE]
            await asyncio.gather(
                *(_record(call, snapshot, recorder, decider, chance) for call in part)
            )
            if start % (AT_ONCE * 10) == 0:
                say(f"calls, {start} of {len(told)}")
    finally:
        await journal.close()
        decider.close()
        await asyncio.to_thread(judge.close)
    return len(told)


async def _snapshot(address: str) -> Snapshot:
    async with await AsyncConnection.connect(address, autocommit=True) as connection:
        snapshot = await SnapshotReading().read(connection)
    assert snapshot is not None  # noqa: S101  a first reading is never unchanged
    return snapshot


def _calls(keys: list[tuple[Plan, str]], chance: random.Random) -> Iterator[Told]:
    now = clock.now()
    for plan, key in keys:
        for day in range(DAYS, -1, -1):
            date = now - timedelta(days=day)
            weekend = 0.2 if date.weekday() >= 5 else 1.0
            growth = 0.6 + 0.5 * (DAYS - day) / DAYS
            idle = plan.stage in {"retired", "suspended"} and day < 30
            wanted = 0 if idle else plan.calls_a_day * weekend * growth
            for number in range(round(chance.gauss(wanted, wanted**0.5 / 2))):
                at = date.replace(hour=6) + timedelta(seconds=chance.triangular(0, 60_000, 20_000))
                if at < now:
                    # Two or three calls make a run.
                    yield Told(plan, key, f"{plan.name}-{date:%Y%m%d}-{number // 3}", at)


async def _record(
    call: Told, snapshot: Snapshot, recorder: Recorder, decider: Decider, chance: random.Random
) -> None:
    found = next(each for each in snapshot.keys.values() if each.public_id == call.key)
    caller = Caller(found, snapshot.agents[found.agent])
    run = run_named(caller.agent.public_id, call.label)
    route = snapshot.routes[call.plan.route]
    target = next(iter(in_order(route)))
    facts: dict[str, object] = {
        "call": {"route": route.name, "operation": "chat", "region": ""},
        "agent": caller.agent.described() | {"stage": "live"},
        "target": target.described(),
        "route": route.described(),
    }
    subject = Subject.of(caller, run)
    with clock.held_at(call.at):
        decision = await decider.decide(facts)
        if not decision.allow:
            await recorder.refuse(subject, route, target, Refusal.by_policy(decision), call.at)
            return
        attempt = Attempt(
            subject=subject,
            entry_id=new_id("ent"),
            route=route.name,
            requested_model=route.name,
            target=target,
            streamed=chance.random() < 0.4,
            decided=decided_facts(decision),
            started_at=call.at,
        )
        await recorder.intend(attempt, _asked(call))
    outcome = _outcome(call, target.model.name, chance)
    with clock.held_at(call.at + timedelta(milliseconds=outcome.duration_ms)):
        await recorder.conclude(attempt, outcome)


def _asked(call: Told) -> bytes:
    asked = f"{call.plan.description} ({_TRUTH})"
    messages = [{"role": "user", "content": asked}]
    return json.dumps({"model": call.plan.route, "messages": messages}).encode()


def _outcome(call: Told, model: str, chance: random.Random) -> Outcome:
    luck = chance.random()
    duration = round(chance.lognormvariate(7.2, 0.6))
    if luck > 0.975:
        status, code = chance.choice([(429, "vendor_error"), (500, "vendor_error")])
        body = json.dumps({"error": {"message": _TRUTH, "type": "server_error"}}).encode()
        return Outcome("error", status, Usage(), body, duration // 4, error_code=code)
    spent = chance.lognormvariate(8.6, 0.8)
    usage = Usage(round(spent), round(spent * chance.uniform(0.1, 0.5)), round(spent * 0.2))
    if luck > 0.97:
        return Outcome(
            "incomplete", 200, usage, _TRUTH.encode(), duration, error_code="upstream_cut"
        )
    answer: dict[str, Any] = {
        "object": "chat.completion",
        "model": model,
        "choices": [
            {
                "index": 0,
                "finish_reason": "stop",
                "message": {"role": "assistant", "content": _TRUTH},
            }
        ],
        "usage": {"prompt_tokens": usage.input_tokens, "completion_tokens": usage.output_tokens},
    }
    return Outcome(
        "ok",
        200,
        usage,
        json.dumps(answer).encode(),
        duration,
        first_byte_ms=duration // 3,
        reported_model=model,
    )
