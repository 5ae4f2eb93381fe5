"""Which runs are worth laying beside one, and who may read what was said in both."""

from __future__ import annotations

from typing import Final

from registry.actors import Actor
from routing.errors import RunNotFound
from routing.models import Run
from routing.queries.calls import agents_of_seen_runs, run_for

SHOWN: Final = 20


def comparable_runs(actor: Actor, run: Run) -> list[Run]:
    """Return the newest other runs of the same agent that this viewer may see."""
    seen = agents_of_seen_runs(actor)
    runs = Run.objects.filter(agent_id=run.agent_id).exclude(run_id=run.run_id)
    if seen is not None:
        runs = runs.filter(agent_id__in=seen.values("public_id"))
    return list(runs.order_by("-started_at", "-run_id")[:SHOWN])


def may_read_runs(actor: Actor, *runs: Run) -> bool:
    """Tell whether a viewer may read what was said in all of these."""
    try:
        for run in runs:
            run_for(actor, run.run_id)
    except RunNotFound:
        return False
    return True
