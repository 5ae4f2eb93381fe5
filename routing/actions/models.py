"""Adding models to a vendor and changing what is known of them.

A price or a date that a person sets carries where it is from and is never overwritten by
the catalogue; taken back (None), it follows the catalogue again. An unknown price stays
unknown: it is never zero.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any, Final

from django.db import transaction

from kernel import clock
from kernel.db import refused_as
from kernel.refs import new_id
from ledger.entries import Fact
from ledger.record import record
from ledger.verbs import Verb
from registry.actors import Actor
from registry.models import Role
from routing.actions.changes import note_changes, note_new, state_of
from routing.actions.linking import link
from routing.actions.overriding import OverrideDraft, check_dates, end_override, put_override
from routing.errors import (
    AlreadyDisabled,
    ModelExists,
    ModelInvalid,
    NotDisabled,
    NothingToChange,
    ReasonMissing,
)
from routing.models import Model, Vendor
from routing.queries.fate import OVERRIDE
from routing.queries.vendors import found_models, model_for, models_of, vendor_for

MAX_AT_ONCE: Final = 500
MAX_PRICE: Final = 10**12
_NAME: Final = re.compile(r"[!-~]{1,200}")
PRICES: Final = (
    "input_micros_per_mtok", "output_micros_per_mtok", "cached_input_micros_per_mtok",
)  # fmt: skip
LIMITS: Final = (
    "context_tokens", "max_output_tokens", "requests_per_minute", "tokens_per_minute",
)  # fmt: skip
LIFECYCLE: Final = ("retires_on", "deprecated_on", "replacement")


@dataclass(frozen=True, slots=True)
class ModelDraft:
    """A model as somebody describes it; what is None is taken from the catalogue if known."""

    name: str
    input_micros_per_mtok: int | None = None
    output_micros_per_mtok: int | None = None
    cached_input_micros_per_mtok: int | None = None
    price_source: str = ""
    context_tokens: int | None = None
    max_output_tokens: int | None = None


@transaction.atomic
def add_models(vendor_name: str, drafts: Iterable[ModelDraft], *, actor: Actor) -> list[Model]:
    """Add models to a vendor, all or none, and link them to the catalogue.

    Records: model.added for each, and lifecycle.changed for each that has an end already.
    Raises: RoleMissing, VendorNotFound, ModelInvalid, ModelExists.
    """
    actor.require(Role.PLATFORM)
    vendor = vendor_for(actor, vendor_name)
    listed = list(drafts)
    _check_list([draft.name for draft in listed])
    models = [_model(vendor, draft, actor) for draft in listed]
    _refuse_known(vendor, models)
    link(models)
    # Between the look and the insert another caller may have won.
    raced = ModelExists(f"{vendor.name} serves one of these models already.")
    with refused_as({"routing_model_one_per_vendor": raced}):
        Model.objects.bulk_create(models)
    for model in models:
        record(Verb.MODEL_ADDED, model.ref, actor=actor.ref, facts=_facts(model))
        note_new(model, actor=actor.ref)
    return models


def add_model(vendor_name: str, draft: ModelDraft, *, actor: Actor) -> Model:
    """Add one model to a vendor. Records: model.added. Raises: as add_models."""
    return add_models(vendor_name, [draft], actor=actor)[0]


def add_found_models(
    vendor_name: str, *, actor: Actor, names: Iterable[str] | None = None
) -> list[Model]:
    """Add what the last test found at a vendor: all that is new, or those named.

    Records: model.added, for each. Raises: as add_models; NothingToChange.
    """
    actor.require(Role.PLATFORM)
    found = found_models(vendor_for(actor, vendor_name))
    chosen = found if names is None else [name for name in names if name in found]
    if not chosen:
        raise NothingToChange("The last test found no model that is not configured already.")
    return add_models(vendor_name, [ModelDraft(name) for name in chosen], actor=actor)


@transaction.atomic
def change_model(public_id: str, changes: Mapping[str, Any], *, actor: Actor) -> Model:
    """Change a model's prices, limits or dates; None gives a price or a date back.

    Dates become an override of what other sources say, whose reason is where they are from.
    Records: model.changed, lifecycle.changed, lifecycle.overridden or override_lifted.
    Raises: RoleMissing, ModelNotFound, ModelInvalid, NothingToChange.
    """
    actor.require(Role.PLATFORM)
    pk = model_for(actor, public_id).pk
    model = Model.objects.select_related("vendor").select_for_update(of=("self",)).get(pk=pk)
    before = {field.attname: getattr(model, field.attname) for field in Model._meta.fields}
    state = state_of(model)
    _apply_prices(model, changes, actor)
    _apply_limits(model, changes)
    _apply_lifecycle(model, changes, actor)
    link([model])
    fields = sorted(name for name, value in before.items() if getattr(model, name) != value)
    if not fields:
        raise NothingToChange("The model is like that already.")
    _check_numbers(model)
    model.save(update_fields=fields)
    facts = _facts(model) | {"fields": fields}
    record(Verb.MODEL_CHANGED, model.ref, actor=actor.ref, facts=facts)
    note_changes(model, state, actor=actor.ref)
    return model


@transaction.atomic
def disable_model(public_id: str, *, actor: Actor, reason: str) -> Model:
    """Stop every call to a model of a vendor, on all routes. Security may do this too.

    Records: model.disabled. Raises: RoleMissing, ModelNotFound, ReasonMissing,
    AlreadyDisabled.
    """
    actor.require(Role.PLATFORM, Role.SECURITY)
    model = model_for(actor, public_id)
    if not (why := reason.strip()[:500]):
        raise ReasonMissing("Say why the model is disabled; people will ask.")
    stopped = Model.objects.filter(pk=model.pk, disabled_at__isnull=True)
    if not stopped.update(disabled_at=clock.now()):
        raise AlreadyDisabled(f"{model} is disabled already.")
    facts: dict[str, Fact] = {"vendor": model.vendor.name, "model": model.name, "reason": why}
    record(Verb.MODEL_DISABLED, model.ref, actor=actor.ref, facts=facts)
    return model_for(actor, public_id)


@transaction.atomic
def enable_model(public_id: str, *, actor: Actor) -> Model:
    """Let calls go to a model again.

    Records: model.enabled. Raises: RoleMissing, ModelNotFound, NotDisabled.
    """
    actor.require(Role.PLATFORM)
    model = model_for(actor, public_id)
    stopped = Model.objects.filter(pk=model.pk, disabled_at__isnull=False)
    if not stopped.update(disabled_at=None):
        raise NotDisabled(f"{model} is not disabled.")
    facts: dict[str, Fact] = {"vendor": model.vendor.name, "model": model.name}
    record(Verb.MODEL_ENABLED, model.ref, actor=actor.ref, facts=facts)
    return model_for(actor, public_id)


def _model(vendor: Vendor, draft: ModelDraft, actor: Actor) -> Model:
    values = asdict(draft)
    if any(values[name] is not None for name in PRICES):
        values["price_source"] = draft.price_source.strip()[:200] or f"set by {actor.ref}"
    else:
        values["price_source"] = ""
    model = Model(public_id=new_id("mod"), vendor=vendor, created_at=clock.now(), **values)
    _check_numbers(model)
    return model


def _check_list(names: list[str]) -> None:
    if not 1 <= len(names) <= MAX_AT_ONCE:
        raise ModelInvalid(f"Give 1 to {MAX_AT_ONCE} models.")
    for name in names:
        if not _NAME.fullmatch(name):
            raise ModelInvalid(
                "A model's name is its id at the vendor: up to 200 characters without spaces.",
                field="name",
            )
    if len(set(names)) != len(names):
        raise ModelInvalid("One model is named twice.", field="name")


def _refuse_known(vendor: Vendor, models: list[Model]) -> None:
    known = models_of(vendor).filter(name__in=[model.name for model in models])
    names = list(known.values_list("name", flat=True))
    if names:
        raise ModelExists(f"{vendor.name} serves {', '.join(names)} already.", models=names)


def _check_numbers(model: Model) -> None:
    for name in PRICES:
        value = getattr(model, name)
        if value is not None and not 0 <= value <= MAX_PRICE:
            raise ModelInvalid(f"{name} is out of range.", field=name)
    for name in LIMITS:
        value = getattr(model, name)
        if value is not None and not 1 <= value < 2**31:
            raise ModelInvalid(f"{name} is out of range.", field=name)


def _apply_prices(model: Model, changes: Mapping[str, Any], actor: Actor) -> None:
    given = {name: changes[name] for name in PRICES if name in changes}
    source = str(changes.get("price_source") or "").strip()[:200]
    if not given and not source:
        return
    for name, value in given.items():
        setattr(model, name, value)
    unknown = all(getattr(model, name) is None for name in PRICES)
    model.price_source = "" if unknown else source or f"set by {actor.ref}"


def _apply_limits(model: Model, changes: Mapping[str, Any]) -> None:
    for name in LIMITS:
        if name in changes:
            setattr(model, name, changes[name])


def _apply_lifecycle(model: Model, changes: Mapping[str, Any], actor: Actor) -> None:
    given = {name: changes[name] for name in LIFECYCLE if name in changes}
    source = str(changes.get("lifecycle_source") or "").strip()[:500]
    if not given and not (source and model.fate_from == OVERRIDE):
        return
    said = {name: getattr(model, name) for name in LIFECYCLE} | given
    said["replacement"] = said["replacement"] or ""
    check_dates(said["retires_on"], said["deprecated_on"])
    if any(said.values()):
        draft = OverrideDraft(**said, source=source, reason=source or "set on the model's page")
        put_override(model, draft, actor=actor)
    else:
        end_override(model, actor=actor, reason="its dates were emptied on the model's page")
    # Whatever was written there before overrides were kept is answered by this.
    for name in LIFECYCLE:
        setattr(model, name, said[name])
    model.lifecycle_source = ""


def _facts(model: Model) -> dict[str, Fact]:
    retires: date | None = model.retires_on
    return {
        "vendor": model.vendor.name,
        "model": model.name,
        "currency": model.currency,
        "input_micros_per_mtok": model.input_micros_per_mtok,
        "output_micros_per_mtok": model.output_micros_per_mtok,
        "price_source": model.price_source,
        "retires_on": retires.isoformat() if retires else None,
        "lifecycle_source": model.lifecycle_source,
    }
