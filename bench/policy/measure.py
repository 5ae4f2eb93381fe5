"""How long a decision takes: asked of the child that judges, and known from before."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable
from statistics import quantiles
from typing import Any, Final

from bench.effort import Effort
from policy.bundle import BASE, Bundle
from policy.engine import Judge
from routing.gateway.decide import Decider

UNCACHED_LIMIT_MS: Final = 1.0
CACHED_LIMIT_US: Final = 20.0
_RULE: Final = re.compile(r'"rule": "[a-z_]+\.[a-z_]+"')
Facts = dict[str, Any]


def measure(effort: Effort) -> dict[str, Any]:
    """Ask the shipped bundle of calls, tools and actions, each time something else."""
    times = min(max(effort.calls // 100, 20), 2_000)
    bundle = Bundle.load(BASE)
    named = {found for text in bundle.modules.values() for found in _RULE.findall(text)}
    with Judge(bundle) as judge:
        cells = [_cell(name, make, judge, times) for name, make in _FACTS.items()]
    return {
        "rules": len(named),
        "times": times,
        "uncached_limit_ms": UNCACHED_LIMIT_MS,
        "cached_limit_us": CACHED_LIMIT_US,
        "cells": cells,
    }


def _cell(name: str, make: Callable[[int], Facts], judge: Judge, times: int) -> dict[str, Any]:
    for number in range(20):
        judge.decide(make(-number - 1))
    uncached, rules = [], set()
    for number in range(times):
        facts = make(number)
        begun = time.perf_counter()
        rules.add(judge.decide(facts).rule)
        uncached.append((time.perf_counter() - begun) * 1e3)
    p50, p95 = _p50_p95(uncached)
    cached_p50, cached_p95 = _p50_p95(asyncio.run(_cached(judge, make(0), times)))
    return {
        "name": name,
        "rules": sorted(rules),
        "uncached_ms": {"p50": round(p50, 3), "p95": round(p95, 3)},
        "cached_us": {"p50": round(cached_p50, 1), "p95": round(cached_p95, 1)},
    }


async def _cached(judge: Judge, facts: Facts, times: int) -> list[float]:
    decider = Decider(judge)
    await decider.decide(facts)
    taken = []
    for _ in range(times):
        begun = time.perf_counter()
        await decider.decide(facts)
        taken.append((time.perf_counter() - begun) * 1e6)
    decider.close()
    return taken


def _p50_p95(taken: list[float]) -> tuple[float, float]:
    cuts = quantiles(taken, n=20)
    return cuts[9], cuts[18]


def _agent(number: int) -> Facts:
    return {
        "name": f"agent-{number}",
        "stage": "live",
        "data_classes": ["internal"],
        "routes": ["classify"],
        "team": "finance",
    }


def _call(number: int) -> Facts:
    return {
        "call": {"route": "classify", "operation": "chat.completions", "region": ""},
        "agent": _agent(number),
        "target": {
            "vendor": "acme", "model": "acme-1", "region": "eu", "dialect": "openai",
            "data_classes": ["public", "internal"],
        },
        "route": {"name": "classify", "constraints": {}},
    }  # fmt: skip


def _action(number: int) -> Facts:
    return {
        "question": "action",
        "agent": {
            "name": f"agent-{number}", "stage": "live", "risk_tier": "low",
            "data_classes": ["internal"], "team": "finance", "owner": "per_1",
            "tools": ["erp.post-entry"],
        },
        "action": {
            "adapter": "http", "connection": "erp", "operation": "post-entry", "effect": "write",
            "is_reversible": True, "arguments": {"account": "4711"}, "is_new": False,
        },
        "edited": False,
        "requested": {"weekday": "mon", "minute": 600},
        "counts": {"hour": 0, "day": 0, "open": 0},
    }  # fmt: skip


_FACTS: Final[dict[str, Callable[[int], Facts]]] = {"call": _call, "action": _action}
