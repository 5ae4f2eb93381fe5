"""What is said of a run as a whole: that it is over."""

from __future__ import annotations

from django.db import transaction

from kernel.refs import Ref
from ledger.record import record
from ledger.verbs import Verb
from registry.actors import Actor
from routing.models import Run, RunSummary
from routing.queries.run_sums import summary_of


@transaction.atomic
def end_run(run: Run, *, actor: Actor) -> None:
    """Say that a run is over. Whatever it does later opens it again.

    Who may see what was said in a run may end it; the caller has looked it up for them.
    Records: run.ended, unless nothing happened since it was ended.
    """
    summary = summary_of(run)
    if summary.ended_at is not None and summary.state == RunSummary.State.OVER:
        return
    record(
        Verb.RUN_ENDED,
        Ref("run", run.run_id),
        actor=actor.ref,
        agent_id=run.agent_id,
        stream=run.run_id,
    )
