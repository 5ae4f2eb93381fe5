"""What was begun and nobody knows the end of: for those who may say it, and those who audit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from django.db.models import QuerySet

from effects.errors import NotUnknown
from effects.models import Effect, Operation, Proposal
from registry.actors import Actor
from registry.models import Role

SEEING: Final = (Role.SECURITY, Role.PLATFORM, Role.AUDITOR)
_WORDS: Final = {
    "worker_lost": "The worker began to send and did not come back.",
    "no_answer": "The other system took the request and gave no answer.",
    "http": "The other system answered with a status that says neither yes nor no.",
    "lookup": "The other system was asked, and gave no clear answer.",
    "unasked": "The other system could not be asked.",
    "no_lookup": "The other system cannot be asked.",
    "adapter": "The adapter broke off in the middle.",
}


@dataclass(frozen=True, slots=True)
class Unknown:
    """One effect of which nobody knows, in words."""

    proposal: Proposal
    effect: Effect
    why: str
    looks: int
    may_ask: bool


def unknown_for(actor: Actor) -> QuerySet[Proposal]:
    """Return the proposals whose effect is not known. Raises: RoleMissing."""
    actor.require(*SEEING)
    return Proposal.objects.filter(state=Proposal.State.UNKNOWN).select_related(
        "agent", "operation__connection", "carried_out"
    )


def unknown_named(actor: Actor, proposal: str) -> Unknown:
    """Return one of them. Raises: RoleMissing, NotUnknown."""
    found = unknown_for(actor).filter(public_id=proposal.replace("\x00", "")).first()
    if found is None:
        raise NotUnknown
    return told_of(found)


def told_of(proposal: Proposal) -> Unknown:
    """Put into words what is known of an effect that is not."""
    effect = proposal.carried_out
    status = str(effect.outcome.get("status", ""))
    lasting = Operation.Idempotency.NONE
    return Unknown(
        proposal,
        effect,
        _WORDS.get(status.partition(":")[0], "Nobody knows how it ended."),
        int(effect.outcome.get("looks", 0)),
        proposal.operation.idempotency != lasting,
    )
