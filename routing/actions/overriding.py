"""Saying by hand when a model ends, with a reason, until it is lifted.

An override holds above feeds and the catalogue and below the vendor's own list. Platform and
security set and lift it; each is on the record, and one model has one in force.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

from django.db import transaction

from kernel import clock
from kernel.refs import new_id
from ledger.entries import Fact
from ledger.record import record
from ledger.verbs import Verb
from registry.actors import Actor
from registry.models import Role
from routing.actions.linking import relink
from routing.errors import ModelInvalid, NoOverride, ReasonMissing
from routing.models import LifecycleOverride, Model
from routing.queries.vendors import model_for

PRECISIONS: Final = ("", "exact", "earliest", "not_sooner_than")
MAY_OVERRIDE: Final = (Role.PLATFORM, Role.SECURITY)


@dataclass(frozen=True, slots=True)
class OverrideDraft:
    """What somebody says of a model's end, whole: what is empty is said to be unknown."""

    retires_on: date | None = None
    deprecated_on: date | None = None
    date_precision: str = ""
    replacement: str = ""
    source: str = ""
    reason: str = ""


@transaction.atomic
def override_fate(public_id: str, draft: OverrideDraft, *, actor: Actor) -> Model:
    """Say by hand when a model ends, in place of what was said by hand before.

    Nothing known at all is an answer too: it takes a wrong date of a feed away.
    Records: lifecycle.overridden, model.changed, lifecycle.changed.
    Raises: RoleMissing, ModelNotFound, ReasonMissing, ModelInvalid.
    """
    actor.require(*MAY_OVERRIDE)
    model = _locked(public_id, actor)
    if not draft.reason.strip():
        raise ReasonMissing("Say why these dates hold; people will ask.", field="reason")
    check_dates(draft.retires_on, draft.deprecated_on)
    if draft.date_precision not in PRECISIONS:
        raise ModelInvalid(
            f"A precision is one of {', '.join(PRECISIONS[1:])}.", field="date_precision"
        )
    put_override(model, draft, actor=actor)
    relink([model], actor=actor.ref)
    return model_for(actor, public_id)


@transaction.atomic
def override_fates(public_ids: Sequence[str], draft: OverrideDraft, *, actor: Actor) -> int:
    """Say the same by hand of several models, of all of them or of none; return of how many.

    Records: as override_fate, for each. Raises: as override_fate.
    """
    # In one order, so that two who do this at once do not wait for each other.
    for public_id in sorted(public_ids):
        override_fate(public_id, draft, actor=actor)
    return len(public_ids)


@transaction.atomic
def lift_override(public_id: str, *, actor: Actor, reason: str) -> Model:
    """Let other sources say again when a model ends.

    Records: lifecycle.override_lifted, model.changed, lifecycle.changed.
    Raises: RoleMissing, ModelNotFound, ReasonMissing, NoOverride.
    """
    actor.require(*MAY_OVERRIDE)
    model = _locked(public_id, actor)
    if not (why := reason.strip()):
        raise ReasonMissing("Say why the override is lifted; people will ask.", field="reason")
    if not end_override(model, actor=actor, reason=why):
        raise NoOverride(f"Nobody set the end of {model} by hand.")
    relink([model], actor=actor.ref)
    return model_for(actor, public_id)


def put_override(model: Model, draft: OverrideDraft, *, actor: Actor) -> LifecycleOverride:
    """Store what somebody says, inside the caller's transaction; the caller links the model.

    Records: lifecycle.overridden, and override_lifted for the one before.
    """
    end_override(model, actor=actor, reason="another took its place")
    made = LifecycleOverride.objects.create(
        public_id=new_id("lov"),
        model=model,
        retires_on=draft.retires_on,
        deprecated_on=draft.deprecated_on,
        date_precision=draft.date_precision or ("exact" if draft.retires_on else ""),
        replacement=draft.replacement.strip()[:200],
        source=draft.source.strip()[:500],
        reason=draft.reason.strip()[:500],
        set_by=str(actor.ref),
        set_at=clock.now(),
    )
    record(
        Verb.LIFECYCLE_OVERRIDDEN,
        model.ref,
        actor=actor.ref,
        facts=_facts(made),
        payload=made.reason.encode(),
    )
    return made


def end_override(model: Model, *, actor: Actor, reason: str) -> bool:
    """End the override in force, inside the caller's transaction; say whether there was one.

    Records: lifecycle.override_lifted.
    """
    found = LifecycleOverride.objects.filter(model=model, lifted_at__isnull=True).first()
    if found is None:
        return False
    found.lifted_at, found.lifted_by = clock.now(), str(actor.ref)
    found.lift_reason = reason[:500]
    found.save(update_fields=["lifted_at", "lifted_by", "lift_reason"])
    record(
        Verb.LIFECYCLE_OVERRIDE_LIFTED,
        model.ref,
        actor=actor.ref,
        facts=_facts(found),
        payload=found.lift_reason.encode(),
    )
    return True


def check_dates(retires_on: date | None, deprecated_on: date | None) -> None:
    """Raises: ModelInvalid for dates that cannot both be."""
    if retires_on and deprecated_on and deprecated_on > retires_on:
        raise ModelInvalid("A model is deprecated before it is retired.", field="deprecated_on")


def _locked(public_id: str, actor: Actor) -> Model:
    pk = model_for(actor, public_id).pk
    return Model.objects.select_related("vendor").select_for_update(of=("self",)).get(pk=pk)


def _facts(override: LifecycleOverride) -> dict[str, Fact]:
    return {
        "override": override.public_id,
        "model": override.model.name,
        "retires_on": override.retires_on.isoformat() if override.retires_on else None,
        "deprecated_on": override.deprecated_on.isoformat() if override.deprecated_on else None,
        "date_precision": override.date_precision,
        "replacement": override.replacement,
    }
