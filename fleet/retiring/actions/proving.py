"""Proving that a retired agent is dead: the probes of a stop, asked once its end is committed.

What is found is kept as it is: contained, or not and by which path. One that is not is
proven again by the next sweep, until it is.
"""

from __future__ import annotations

from django.db import transaction

from fleet.retiring.actions.stepping import take
from fleet.retiring.models import Retirement, Step
from fleet.retiring.queries.figures import figures_of
from kernel import clock
from registry.actors import Actor
from routing.actions.containing import SECONDS, Containment, contain
from routing.containment.paths import OPEN
from routing.queries.stops import subject_for


def prove(retirement: Retirement, *, actor: Actor, seconds: float = SECONDS) -> bool:
    """Probe every path by which the agent could act; say whether all are closed.

    Records: containment.proven or containment.failed; retirement.step_taken.
    """
    subject = subject_for(actor, "agent", retirement.agent.public_id)
    found = contain(subject, actor=actor, seconds=seconds)
    _keep(retirement, found, actor)
    return found.is_contained


@transaction.atomic
def _keep(retirement: Retirement, found: Containment, actor: Actor) -> None:
    retirement.proof = found.facts() | {"at": clock.stamp(clock.now())}
    retirement.figures = figures_of(retirement.agent)
    retirement.fault, retirement.again_at = "", None
    retirement.save(update_fields=["proof", "figures", "fault", "again_at"])
    if found.is_contained:
        detail = f"Contained: proven in {found.milliseconds} ms on {len(found.evidence)} paths."
        take(retirement, Step.Name.PROVED, count=len(found.evidence), detail=detail, actor=actor)
        return
    still = "; ".join(each.path for each in found.of(OPEN))
    Step.objects.filter(retirement=retirement, name=Step.Name.PROVED, done_at__isnull=True).update(
        detail=f"Not contained: {still}."
    )
