"""Making what vendors answered of a model a change of its life, so that campaigns hear of it.

Once for each model and each thing said: the gateways write that down once a day. A name that
the vendor never knew is no change; it is a fault of whoever typed it, and stays in the record.
"""

from __future__ import annotations

from typing import Final

from django.db import transaction

from registry.actors import Actor
from registry.models import Role
from routing.actions.changes import note_word
from routing.models import LifecycleChange, Model, VendorWord

SOURCE: Final = "vendor's answer"
_CHANGES: Final = (
    VendorWord.Said.RETIRED,
    VendorWord.Said.CLOSED,
    VendorWord.Said.NO_DEPLOYMENT,
)
_MOST: Final = 500


def note_vendor_words(*, actor: Actor) -> int:
    """Write the changes that vendors' answers tell of and that are not written; return how many.

    Records: lifecycle.changed. Raises: RoleMissing.
    """
    actor.require(Role.PLATFORM)
    words = VendorWord.objects.filter(said__in=_CHANGES).order_by("model_id", "said", "id")
    newest = words.distinct("model_id", "said")[:_MOST]
    return sum(_note(word, actor) for word in newest)


@transaction.atomic
def _note(word: VendorWord, actor: Actor) -> bool:
    model = (
        Model.objects.select_for_update(of=("self",))
        .select_related("vendor")
        .filter(public_id=word.model_id)
        .first()
    )
    source = f"{SOURCE}: {word.said}"
    known = LifecycleChange.objects.filter(model=model, source=source)
    if model is None or known.exists():
        return False
    note_word(model, word.intent_id, source=source, actor=actor.ref)
    return True
