"""Setting the criteria of an agent's gate: each change a row, and what passed before is stale."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db import transaction

from fleet.evaluations.criteria import Criteria, read_criteria
from fleet.evaluations.errors import CriteriaInvalid
from fleet.evaluations.models import GateCriteria
from fleet.evaluations.queries.criteria import criteria_of, criteria_rows
from fleet.evaluations.queries.evaluations import require_evaluate
from kernel import clock
from kernel.refs import Ref
from ledger.record import record
from ledger.verbs import Verb
from registry.actors import Actor
from registry.models import Agent, Role
from routing.models import Route


@transaction.atomic
def set_criteria(agent: Agent, said: Mapping[str, Any], *, actor: Actor) -> Criteria:
    """Set the bounds of an agent's gate; those not named are the defaults.

    An owner is held to what platform or security set: whoever is judged by a bound does not
    loosen it alone. Records: evaluation.criteria_set. Raises: MayNotEvaluate, RoleMissing,
    CriteriaInvalid.
    """
    require_evaluate(actor, agent)
    actor.require(Role.PLATFORM, Role.SECURITY)
    criteria = read_criteria(said)
    for name in (criteria.judge, criteria.embeddings):
        if name and not Route.objects.filter(name=name, disabled_at__isnull=True).exists():
            raise CriteriaInvalid(f"There is no route {name[:60]!r}.")
    Agent.objects.select_for_update().get(pk=agent.pk)
    if criteria.digest == criteria_of(agent).digest:
        return criteria
    newest = criteria_rows(agent).first()
    row = GateCriteria.objects.create(
        agent=agent,
        number=1 if newest is None else newest.number + 1,
        said=criteria.told(),
        digest=criteria.digest,
        set_by=str(actor.ref),
        set_at=clock.now(),
    )
    record(
        Verb.EVALUATION_CRITERIA_SET,
        Ref("agent", agent.public_id),
        actor=actor.ref,
        facts={"digest": row.digest, "number": row.number},
        agent_id=agent.public_id,
    )
    return criteria
