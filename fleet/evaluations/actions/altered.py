"""What is to be said when an entry of the record is not what was recorded.

Owns that security and the platform hear of it, once for each evaluation that came upon it.
"""

from __future__ import annotations

from collections.abc import Iterable

from django.db import transaction

from fleet.evaluations.models import Evaluation
from fleet.telling.actions.telling import tell
from registry.actors import Actor
from registry.models import Role

_NAMED = 20


@transaction.atomic
def note_altered(evaluation: Evaluation, entries: Iterable[str], *, actor: Actor) -> None:
    """Add entries to those that an evaluation takes for no evidence, and say so.

    Records: nothing; the entries themselves are the finding, and `manage.py verify` proves it.
    """
    held = Evaluation.objects.select_for_update().get(pk=evaluation.pk)
    held.altered = list(dict.fromkeys([*held.altered, *entries]))
    held.save(update_fields=["altered"])
    tell_altered(held, actor=actor)


def tell_altered(evaluation: Evaluation, *, actor: Actor) -> None:
    """Tell security and the platform, where there is something to tell. Records: nothing."""
    if not evaluation.altered:
        return
    tell(
        key=f"evaluation:{evaluation.public_id}:altered",
        kind="evaluation",
        subject=evaluation.ref,
        title=f"{len(evaluation.altered)} entries of {evaluation.agent.name} are not what was"
        " recorded",
        lines=[
            *evaluation.altered[:_NAMED],
            f"Found for {actor.ref}. Verify the ledger: manage.py verify.",
        ],
        path=f"/evaluations/{evaluation.public_id}/",
        roles=(Role.SECURITY, Role.PLATFORM),
        urgent=True,
    )
