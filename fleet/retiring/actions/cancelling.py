"""Taking a plan back before its day: the agent has its stage again, and those warned are told."""

from __future__ import annotations

from django.db import transaction

from fleet.retiring.actions.warning import tell_it_stays
from fleet.retiring.errors import RetirementUnderWay
from fleet.retiring.models import Retirement
from fleet.retiring.queries.retirements import retirement_for
from kernel import clock
from ledger.record import record
from ledger.verbs import Verb
from registry.actions import agents as act
from registry.actions.guards import hold, stated
from registry.actors import Actor

State = Retirement.State


@transaction.atomic
def cancel_retirement(public_id: str, *, actor: Actor, reason: str) -> Retirement:
    """Let an agent stay whose end was announced and has not begun.

    Records: agent.kept, retirement.cancelled. Raises: RetirementNotFound, NotYourAgent,
    ReasonMissing, RetirementUnderWay, IllegalTransition.
    """
    agent = hold(retirement_for(actor, public_id).agent)
    why = stated(reason)
    row = Retirement.objects.select_for_update(of=("self",)).get(public_id=public_id)
    is_begun = row.drains_at is not None and row.drains_at <= clock.now()
    if row.state != State.ANNOUNCED or is_begun:
        raise RetirementUnderWay(
            f"{agent.name} cannot stay: its end has begun. A retired agent is restored by two"
            " people.",
            state=row.state,
        )
    act.keep_agent(agent, row.stage_before, actor=actor, reason=why)
    row.state, row.closed_at = State.CANCELLED, clock.now()
    row.closed_by, row.closed_reason = str(actor.ref), why
    row.save(update_fields=["state", "closed_at", "closed_by", "closed_reason"])
    record(
        Verb.RETIREMENT_CANCELLED,
        row.ref,
        actor=actor.ref,
        agent_id=agent.public_id,
        facts={"retirement": row.public_id, "stage": row.stage_before, "reason": why},
    )
    tell_it_stays(row)
    return row
