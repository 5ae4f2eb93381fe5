"""What is said of a run as a whole: that it is over."""

from __future__ import annotations

from django.db import transaction

from kernel.refs import Ref
from ledger.record import record
from ledger.verbs import Verb
from registry.actors import Actor
from registry.models import Agent, Role
from registry.queries.agents import answers_for
from routing.models import Run, RunSummary
from routing.queries.run_sums import summary_of


@transaction.atomic
def end_run(run: Run, *, actor: Actor) -> None:
    """Say that a run is over. Whatever it does later opens it again.

    Its agent may, and whoever answers for that; who only reads the record may not.
    Records: run.ended, unless nothing happened since it was ended. Raises: RoleMissing.
    """
    agent = Agent.objects.select_related("owner", "backup_owner").get(public_id=run.agent_id)
    if actor.ref != agent.ref and not answers_for(actor, agent):
        actor.require(Role.PLATFORM, Role.SECURITY)
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
