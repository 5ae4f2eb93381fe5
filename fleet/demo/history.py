"""Ninety days of calls that the demo company says it made.

They go through the gateway's own recorder into the ledger, with the clock held at the
moment they speak of, and are served by whatever served their agent then. No vendor is called:
the texts say that they are demo data.
"""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from psycopg import AsyncConnection

from fleet.demo.company import Plan
from kernel import clock
from kernel.refs import new_id
from kernel.sealing import RingFile
from ledger.datakeys import DataKeySource
from ledger.entries import Fact
from ledger.journal import Journal
from policy.bundle import BASE
from policy.engine import Judge
from routing.gateway.authenticate import Caller
from routing.gateway.decide import Decider
from routing.gateway.lifecycle import is_substituted
from routing.gateway.metering import Usage
from routing.gateway.recording.attempt import Attempt, Outcome, Subject
from routing.gateway.recording.facts import Refusal, decided_facts
from routing.gateway.recording.recorder import Recorder
from routing.gateway.resolve import in_order
from routing.gateway.runs import run_named
from routing.gateway.shifting import TARGET, moved
from routing.gateway.snapshot import Route, Snapshot, Target
from routing.snapshot import SnapshotReading

DAYS: Final = 90
AT_ONCE: Final = 200
_SEED: Final = 20261121
_TRUTH: Final = "Demo data: no model was called for this."
_FAILING: Final = 0.02
# What some routes owe; the others answer in words.
_FORMS: Final[dict[str, dict[str, Any]]] = {
    "classify": {"label": "other", "sure": 0.9},
    "extract": {"fields": {"number": "4711", "total": "12.50"}},
    "draft": {"subject": "A first draft", "paragraphs": 3},
}
_REROUTED: Final = ("gemini-2.5-flash", "gemini-3.5-flash-lite")
_REROUTED_SHARE: Final = 0.4
QUIETLY: Final = timedelta(hours=20)  # since then


@dataclass(frozen=True, slots=True)
class Again:
    """That a recorded call is asked of another model, for an evaluation."""

    vendor: str  # public id
    model: str  # name
    of: str  # ent_… of the recorded call
    evaluation: str


@dataclass(frozen=True, slots=True)
class Told:
    """One call of the past, before it is recorded."""

    plan: Plan
    key: str
    label: str
    at: datetime
    again: Again | None = None
    failing: float = _FAILING  # of the calls of a target that an agent is moved to
    formless: float = 0.0  # of the answers, which do not keep the form


@dataclass(frozen=True, slots=True)
class _Means:
    """What recording a call needs."""

    snapshot: Snapshot
    recorder: Recorder
    decider: Decider
    callers: Mapping[str, Caller]  # by the public ids of their keys
    chance: random.Random


class Teller:
    """Records calls of the past, as often as there is something to tell."""

    def __init__(self, *, address: str, keys_dir: Path, say: Callable[[str], None]) -> None:
        self._address, self._keys_dir, self._say = address, keys_dir, say
        self._chance = random.Random(_SEED)  # noqa: S311  a believable spread, not a secret

    def tell(self, calls: Iterable[Told]) -> int:
        """Record calls in their order; return how many."""
        return asyncio.run(self._tell(sorted(calls, key=lambda call: call.at)))

    def past_of(
        self,
        keys: Iterable[tuple[Plan, str]],
        *,
        since: datetime | None = None,
        until: Mapping[str, datetime] | None = None,
    ) -> Iterator[Told]:
        """Yield the calls of ninety days; of some agents only those before or after a moment."""
        now, ends = clock.now(), until or {}
        for told in _calls(keys, self._chance):
            if told.at < ends.get(told.plan.name, now) and (since is None or told.at >= since):
                yield told

    async def _tell(self, told: list[Told]) -> int:
        snapshot = await _snapshot(self._address)
        journal = Journal(self._address, process="demo", prefix="demo")
        await journal.open()
        recorder = Recorder(journal, DataKeySource(RingFile(self._keys_dir, "payload").current))
        judge = await asyncio.to_thread(Judge, BASE)
        decider = Decider(judge)
        callers = {
            key.public_id: Caller(key, snapshot.agents[key.agent])
            for key in snapshot.keys.values()
            if key.agent in snapshot.agents
        }
        means = _Means(snapshot, recorder, decider, callers, self._chance)
        try:
            for start in range(0, len(told), AT_ONCE):
                part = told[start : start + AT_ONCE]
                await asyncio.gather(*(_record(call, means) for call in part))
                if start and start % (AT_ONCE * 10) == 0:
                    self._say(f"calls, {start} of {len(told)}")
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


def _calls(keys: Iterable[tuple[Plan, str]], chance: random.Random) -> Iterator[Told]:
    now = clock.now()
    for plan, key in keys:
        for day in range(DAYS, -1, -1):
            date = now - timedelta(days=day)
            weekend = 0.2 if date.weekday() >= 5 else 1.0
            # Most of it is of late, as in a company that has begun to use agents.
            growth = 0.15 + 0.95 * ((DAYS - day) / DAYS) ** 2
            idle = plan.stage in {"retired", "suspended"} and day < 30
            wanted = 0 if idle else plan.calls_a_day * weekend * growth
            for number in range(round(chance.gauss(wanted, wanted**0.5 / 2))):
                at = date.replace(hour=6) + timedelta(seconds=chance.triangular(0, 60_000, 20_000))
                if at < now:
                    # Two or three calls make a run.
                    yield Told(plan, key, f"{plan.name}-{date:%Y%m%d}-{number // 3}", at)


async def _record(call: Told, means: _Means) -> None:
    snapshot, recorder, chance = means.snapshot, means.recorder, means.chance
    caller = means.callers[call.key]
    run = _run_named(caller.agent.public_id, call.label)
    route = snapshot.routes[call.plan.route]
    target = _serving(call, route, caller.agent.public_id, run.run_id, snapshot)
    facts: dict[str, object] = {
        "call": {"route": route.name, "operation": "chat", "region": ""},
        "agent": caller.agent.described() | {"stage": "live"},
        "target": target.described(),
        "route": route.described(),
    }
    subject = Subject.of(caller, run)
    with clock.held_at(call.at):
        decision = await means.decider.decide(facts)
        if not decision.allow:
            await recorder.refuse(subject, route, target, Refusal.by_policy(decision), call.at)
            return
        attempt = Attempt(
            subject=subject,
            entry_id=new_id("ent"),
            route=route.name,
            requested_model=route.name,
            target=target,
            streamed=call.again is None and chance.random() < 0.4,
            decided=decided_facts(decision) | _facts_of(call),
            started_at=call.at,
            made_for="" if call.again is None else call.again.evaluation,
        )
        await recorder.intend(attempt, _asked(call))
    outcome = _outcome(call, target, chance)
    with clock.held_at(call.at + timedelta(milliseconds=outcome.duration_ms)):
        await recorder.conclude(attempt, outcome)


# The calls of a run come one after the other.
_run_named: Final = lru_cache(maxsize=4096)(run_named)


def _serving(call: Told, route: Route, agent: str, run_id: str, snapshot: Snapshot) -> Target:
    """Return what served: the model that was asked again, or whatever serves the agent's run."""
    if call.again is not None:
        vendor = snapshot.vendors[call.again.vendor]
        model = snapshot.models[call.again.vendor, call.again.model]
        return Target(vendor=vendor, model=model, region="", weight=1, priority=0)
    targets = moved(
        route, agent, run_id, snapshot, operation="chat", now=call.at.timestamp()
    ).targets
    return next(iter(in_order(replace(route, targets=targets))))


def _facts_of(call: Told) -> dict[str, Fact]:
    if call.again is None:
        return {}
    named = {"of": call.again.of, "reevaluation": call.again.evaluation}
    return {**named, "effects": "blocked"}


def _asked(call: Told) -> bytes:
    asked = f"{call.plan.description} ({_TRUTH})"
    messages = [{"role": "user", "content": asked}]
    return json.dumps({"model": call.plan.route, "messages": messages}).encode()


def _said(call: Told, chance: random.Random) -> str:
    """Return an answer in the form that its route owes."""
    form = _FORMS.get(call.plan.route)
    if form is None or (call.formless and chance.random() < call.formless):
        return _TRUTH
    return json.dumps({**form, "note": _TRUTH})


def _outcome(call: Told, target: Target, chance: random.Random) -> Outcome:
    luck, model = chance.random(), target.model.name
    is_target = target.arm is not None and target.arm.name == TARGET
    failing = call.failing if is_target or call.again is not None else _FAILING
    duration = round(chance.lognormvariate(7.2, 0.6))
    if luck < failing:
        status, code = chance.choice([(429, "vendor_error"), (500, "vendor_error")])
        body = json.dumps({"error": {"message": _TRUTH, "type": "server_error"}}).encode()
        return Outcome("error", status, Usage(), body, duration // 4, error_code=code)
    spent = chance.lognormvariate(8.6, 0.8)
    usage = Usage(round(spent), round(spent * chance.uniform(0.1, 0.5)), round(spent * 0.2))
    if luck > 0.995 and call.again is None:
        return Outcome(
            "incomplete", 200, usage, _TRUTH.encode(), duration, error_code="upstream_cut"
        )
    reported = _reported(call, model, chance)
    answer: dict[str, Any] = {
        "object": "chat.completion",
        "model": reported,
        "choices": [
            {
                "index": 0,
                "finish_reason": "stop",
                "message": {"role": "assistant", "content": _said(call, chance)},
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
        reported_model=reported,
        is_substituted=is_substituted(target, reported),
    )


def _reported(call: Told, model: str, chance: random.Random) -> str:
    """Return who says that it answered: since yesterday, one model quietly is another."""
    named, other = _REROUTED
    is_late = clock.now() - call.at < QUIETLY
    return other if model == named and is_late and chance.random() < _REROUTED_SHARE else model
