"""Ending what an agent handed on and what was handed to it, when the agent itself ends."""

from __future__ import annotations

from django.db import transaction
from django.db.models import Q

from kernel import clock
from kernel.refs import Ref
from ledger.record import record
from ledger.verbs import Verb
from registry.actors import Actor
from registry.models import Agent
from routing.models import Delegation, DelegationEnd


@transaction.atomic
def end_delegations_of(agent: Agent, *, actor: Actor) -> int:
    """End every delegation that an agent gave or holds and that still runs; return how many.

    Records: delegation.ended for each.
    """
    now = clock.now()
    rows = Delegation.objects.filter(
        Q(from_agent=agent.public_id) | Q(to_agent=agent.public_id), expires_at__gt=now
    ).exclude(public_id__in=DelegationEnd.objects.values("delegation_id"))
    ended = 0
    for row in rows.order_by("id"):
        _, is_new = DelegationEnd.objects.get_or_create(
            delegation_id=row.public_id,
            defaults={"until": row.expires_at, "ended_by": str(actor.ref), "ended_at": now},
        )
        if is_new:
            record(
                Verb.DELEGATION_ENDED,
                Ref("agent", row.to_agent),
                actor=actor.ref,
                agent_id=row.from_agent,
                facts={"delegation": row.public_id, "run": row.run_id},
            )
            ended += 1
    return ended
