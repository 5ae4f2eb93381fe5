"""Reading batches: those who govern see all of them, and what became of each agent."""

from __future__ import annotations

from collections.abc import Sequence

from django.db.models import Count, Q, QuerySet

from fleet.retiring.errors import BatchNotFound, BatchUnusable
from fleet.retiring.models import Batch, BatchItem
from registry.actors import Actor
from registry.models import Agent
from registry.queries import GOVERNING


def batches_for(actor: Actor) -> QuerySet[Batch]:
    """Return the batches that a viewer may see, with how many agents each is through with."""
    rows = Batch.objects.select_related("made_by")
    if not actor.has(*GOVERNING):
        rows = rows.none()
    return rows.annotate(
        done=Count("items", filter=Q(items__state="done")),
        refused=Count("items", filter=Q(items__state="refused")),
    )


def batch_for(actor: Actor, public_id: str) -> Batch:
    """Return one. Raises: BatchNotFound."""
    wanted = public_id[:80].replace("\0", "")
    found = batches_for(actor).filter(public_id=wanted).first()
    if found is None:
        raise BatchNotFound(f"There is no batch {public_id[:80]!r}.")
    return found


def agents_named(names: Sequence[str]) -> list[Agent]:
    """Return the agents of these names, each once. Raises: BatchUnusable, naming who is not."""
    wanted = dict.fromkeys(names)
    found = list(Agent.objects.filter(name__in=wanted).order_by("name"))
    if missing := sorted(set(wanted) - {agent.name for agent in found}):
        raise BatchUnusable(
            f"There is no agent {missing[0][:80]!r}, and {len(missing) - 1} others are none."
            if len(missing) > 1
            else f"There is no agent {missing[0][:80]!r}.",
            field="agents",
        )
    return found


def items_of(batch: Batch) -> QuerySet[BatchItem]:
    """Return what became of each agent, those that were refused first."""
    return BatchItem.objects.filter(batch=batch).order_by("-state", "agent_name")
