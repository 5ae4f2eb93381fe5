"""The steps of a retirement as rows: made with the plan, taken once each, on record."""

from __future__ import annotations

from django.db import transaction

from fleet.retiring.models import Retirement, Step
from kernel import clock
from ledger.record import record
from ledger.verbs import Verb
from registry.actors import Actor


def make_steps(retirement: Retirement) -> None:
    """Lay out everything that will be done, in its order."""
    Step.objects.bulk_create(
        Step(retirement=retirement, name=name, place=place) for place, name in enumerate(Step.Name)
    )


@transaction.atomic
def take(
    retirement: Retirement, name: str, *, actor: Actor, count: int = 0, detail: str = ""
) -> bool:
    """Note that a step is done; False when it was before.

    Records: retirement.step_taken.
    """
    waits = Step.objects.filter(retirement=retirement, name=name, done_at__isnull=True)
    if not waits.update(done_at=clock.now(), count=count, detail=detail):
        return False
    record(
        Verb.RETIREMENT_STEP_TAKEN,
        retirement.ref,
        actor=actor.ref,
        agent_id=retirement.agent.public_id,
        facts={"retirement": retirement.public_id, "step": str(name), "count": count},
    )
    return True
