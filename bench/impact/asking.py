"""Asks for the impact of the busiest model, the exposure of all, and opens a campaign; timed."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable

import django

django.setup()

from fleet.campaigns.actions.opening import open_campaign  # noqa: E402  after the set-up
from fleet.campaigns.queries.impact import exposure_of, impact_of  # noqa: E402
from registry.actors import Actor  # noqa: E402
from routing.models import Model  # noqa: E402


def timed(work: Callable[[], object]) -> float:
    """Return how many milliseconds something takes."""
    began = time.perf_counter()
    work()
    return round((time.perf_counter() - began) * 1000, 1)


def main() -> None:
    """Measure, and print what was found."""
    times = int(sys.argv[1])
    models = list(Model.objects.select_related("vendor").filter(vendor__name="bench"))
    named = {model.name: model for model in models}
    busiest = named["model-0"]
    last = named[f"model-{len(models) - 1}"]
    impact = sorted(timed(lambda: impact_of(busiest)) for _ in range(times))
    exposure = sorted(timed(lambda: exposure_of(models)) for _ in range(times))
    assert last.retires_on is not None  # noqa: S101  as it was copied in
    due_on, actor = last.retires_on, Actor.system("bench")
    took = timed(lambda: open_campaign(last, due_on=due_on, actor=actor))
    found = {
        "models": len(models),
        "touched": impact_of(busiest).exposure.agents,
        "impact_p50_ms": impact[len(impact) // 2],
        "impact_max_ms": impact[-1],
        "exposure_p50_ms": exposure[len(exposure) // 2],
        "exposure_max_ms": exposure[-1],
        "moves": last.campaigns.get().moves.count(),
        "open_ms": took,
    }
    print(json.dumps(found))


if __name__ == "__main__":
    main()
