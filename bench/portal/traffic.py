"""What the population did: runs, calls with their entries, and days of use counted ahead."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import timedelta
from typing import Any, Final

from bench.ledger.chains import Made, copy_links, links_of
from bench.portal import company
from bench.portal.company import Shape
from bench.portal.population import Population
from kernel.refs import new_id

CALLS_A_RUN: Final = 3
LONG_RUN: Final = 500  # calls of the one run that is long
_AT_ONCE: Final = 7_000  # runs
_DAYS: Final = 90
_CALL: Final = (
    "intent_id", "run_id", "agent_id", "key_id", "route", "requested_model", "vendor", "model",
    "status", "http_status", "input_tokens", "output_tokens", "cost_micros", "currency",
    "started_at", "duration_ms",
)  # fmt: skip
# Each agent calls by its route every day, the oldest day first, as the sweep would have written
# it. Now and then a call fails; of one agent in a hundred and fifty, one in five does.
_USED: Final = """
INSERT INTO routing_usageday (day, agent_id, route, vendor, model, calls, errors, denied,
       input_tokens, output_tokens, cost_micros, unpriced_calls, duration_ms)
SELECT current_date - d, a.public_id, r.name, v.name, m.name, n,
       CASE WHEN a.id %% 150 = 0 THEN n / 5 WHEN (a.id + d) %% 9 = 0 THEN 1 ELSE 0 END, 0,
       n * 900, n * 300, n * 1500, 0, n * 700
FROM registry_agent a
JOIN routing_route r ON r.name = a.routes[1]
JOIN routing_routetarget t ON t.route_id = r.id AND t.priority = 0
JOIN routing_model m ON m.id = t.model_id
JOIN routing_vendor v ON v.id = m.vendor_id,
     generate_series(0, %s) d,
     LATERAL (SELECT 5 + (a.id * 7 + d * 13) %% 40 AS n) counted
WHERE a.id > %s AND a.id <= %s
ORDER BY d DESC, a.id
"""
_SUMMED: Final = """
TRUNCATE routing_usagetotal, routing_usagemonth, routing_usagerecent, routing_modeluse;
INSERT INTO routing_usagetotal (day, calls, errors, denied, input_tokens, output_tokens,
       cost_micros, unpriced_calls, duration_ms)
SELECT day, sum(calls), sum(errors), sum(denied), sum(input_tokens), sum(output_tokens),
       sum(cost_micros), sum(unpriced_calls), sum(duration_ms)
FROM routing_usageday GROUP BY day;
INSERT INTO routing_usagemonth (month, agent_id, calls, errors, denied, input_tokens,
       output_tokens, cost_micros, unpriced_calls, duration_ms)
SELECT date_trunc('month', day)::date, agent_id, sum(calls), sum(errors), sum(denied),
       sum(input_tokens), sum(output_tokens), sum(cost_micros), sum(unpriced_calls),
       sum(duration_ms)
FROM routing_usageday GROUP BY 1, 2;
INSERT INTO routing_modeluse (agent_id, route, vendor, model, calls, first_called_at,
       last_called_at)
SELECT agent_id, route, vendor, model, sum(calls), min(day), max(day)
FROM routing_usageday GROUP BY 1, 2, 3, 4;
INSERT INTO routing_usagerecent (agent_id, calls_week, errors_week, cost_month)
SELECT agent_id, sum(calls) FILTER (WHERE day > current_date - 7),
       sum(errors) FILTER (WHERE day > current_date - 7), sum(cost_micros)
FROM routing_usageday WHERE day > current_date - 30 GROUP BY agent_id;
INSERT INTO routing_usagemark (name, xid, call_id, counted_at, recent_on)
VALUES ('usage', 0, 0, now(), current_date) ON CONFLICT DO NOTHING;
"""


class Traffic:
    """Calls of a population; the same seed gives the same calls."""

    def __init__(self, population: Population, long_run: int = LONG_RUN) -> None:
        self.population = population
        self.longest = long_run
        self.chance = random.Random(20261121)  # noqa: S311  a believable spread, no secret
        self.long_run = ""

    def add_usage(self, days: int, *, after: int) -> None:
        """Count days of use for the agents after a number, then sum all of it."""
        bulk = self.population.bulk
        bulk.run(_USED, days - 1, after, len(self.population.agents))
        for statement in filter(str.strip, _SUMMED.split(";\n")):
            bulk.run(statement)

    def add_calls(self, number: int) -> None:
        """Add calls with their runs and entries; the first agent that may call has a long run."""
        part: list[list[Made]] = []
        for run in self._runs(number):
            part.append(run)
            if len(part) == _AT_ONCE:
                self._copy(part)
                part = []
        self._copy(part)

    def _copy(self, runs: list[list[Made]]) -> None:
        bulk = self.population.bulk
        calls = [call for run in runs for call in run]
        bulk.copy(
            "routing_run",
            ("run_id", "agent_id", "label", "started_at"),
            (
                (run[0].run_id, run[0].agent_id, f"job-{run[0].run_id[-8:]}", run[0].started_at)
                for run in runs
            ),
        )
        bulk.copy("routing_call", _CALL, map(_row, calls))
        copy_links(bulk, links_of(calls))

    def _runs(self, number: int) -> Iterator[list[Made]]:
        able = [n for n in range(len(self.population.agents)) if Shape(n).is_callable]
        if not self.long_run:
            self.long_run, length = new_id("run"), min(self.longest, number)
            number -= length
            yield [self._call(able[0], self.long_run, (length - n) / 10) for n in range(length)]
        for index in range(number // CALLS_A_RUN):
            # Round the agents, so that everybody has some and the newest are of many.
            n, run_id = able[index % len(able)], new_id("run")
            age = self.chance.uniform(60, _DAYS * 24 * 3600)
            yield [self._call(n, run_id, age - step) for step in range(CALLS_A_RUN)]

    def _call(self, n: int, run_id: str, seconds_ago: float) -> Made:
        shape, luck = Shape(n), self.chance.random()
        served = self.population.served
        vendor, model = served[n % company.ROUTES % len(served)]
        return Made(
            intent_id=new_id("ent"),
            run_id=run_id,
            agent_id=self.population.agents[n],
            route=shape.route,
            vendor=vendor,
            model=model,
            status="error" if luck > 0.97 else "ok",
            cost_micros=1500,
            started_at=self.population.now - timedelta(seconds=seconds_ago),
            duration_ms=round(self.chance.lognormvariate(6.5, 0.5)),
        )


def _row(call: Made) -> tuple[Any, ...]:
    return (
        call.intent_id, call.run_id, call.agent_id, "key_bench", call.route, call.route,
        call.vendor, call.model, call.status, 200 if call.status == "ok" else 500, 900, 300,
        call.cost_micros, "USD", call.started_at, call.duration_ms,
    )  # fmt: skip
