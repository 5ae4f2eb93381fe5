"""Noting what changed of a model's fate, price, limits or address, as rows that stay.

Owns the words for a change: two states of a model go in, and what happened between them
comes out. Written in the transaction of whatever changed it; whoever follows changes keeps
a mark of their own.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from typing import Any, Final

from kernel import clock
from kernel.refs import Ref, new_id
from ledger.entries import Fact
from ledger.record import record
from ledger.verbs import Verb
from routing.models import LifecycleChange, Model, Vendor

Kind = LifecycleChange.Kind
State = Mapping[str, Any]

FATE: Final = ("retires_on", "deprecated_on", "date_precision", "replacement", "lifecycle_status")
PRICE: Final = (
    "currency", "input_micros_per_mtok", "output_micros_per_mtok", "cached_input_micros_per_mtok",
)  # fmt: skip
LIMITS: Final = ("requests_per_minute", "tokens_per_minute")
GONE: Final = frozenset({"retired", "shutdown"})
ENDING: Final = GONE | {"deprecated", "legacy", "extended-access"}


def state_of(model: Model) -> dict[str, Any]:
    """Return what changes are told from; taken before a change is made in memory."""
    return {name: getattr(model, name) for name in (*FATE, *PRICE, *LIMITS)}


def kinds_between(before: State, after: State) -> Iterator[str]:
    """Name what happened to a model's end between two states of it."""
    was, now = before["retires_on"], after["retires_on"]
    was_ending = was is not None or before["lifecycle_status"] in ENDING
    is_ending = now is not None or after["lifecycle_status"] in ENDING
    if is_ending and not was_ending:
        yield Kind.ANNOUNCED
    elif was_ending and not is_ending:
        yield Kind.WITHDRAWN
    elif is_ending and _dates(before) != _dates(after):
        yield Kind.MOVED
    if is_ending and was_ending and before["replacement"] != after["replacement"]:
        yield Kind.REPLACED
    if after["lifecycle_status"] in GONE and before["lifecycle_status"] not in GONE:
        yield Kind.RETIRED


def note_changes(model: Model, before: State, *, actor: Ref) -> list[LifecycleChange]:
    """Write what changed of a model since a state of it, and return it.

    Records: lifecycle.changed, for each.
    """
    after, source = state_of(model), model.lifecycle_source
    made = [
        _of_model(model, kind, _told(before, FATE), _told(after, FATE), source)
        for kind in kinds_between(before, after)
    ]
    # A price that becomes known is no new price; one that was known and differs is.
    known = [before[name] for name in PRICE[1:] if before[name] is not None]
    for kind, names, is_change, said in (
        (Kind.PRICE, PRICE, bool(known), model.price_source),
        (Kind.RATE_LIMIT, LIMITS, True, source),
    ):
        if is_change and _told(before, names) != _told(after, names):
            made.append(_of_model(model, kind, _told(before, names), _told(after, names), said))
    return _written(made, actor)


def note_new(model: Model, *, actor: Ref) -> list[LifecycleChange]:
    """Write that a model that was just added has an end already. Records: lifecycle.changed."""
    nothing = {name: "" if name in FATE[2:] else None for name in (*FATE, *PRICE, *LIMITS)}
    after = state_of(model)
    kinds = kinds_between(nothing, after)
    made = [
        _of_model(model, kind, _told(nothing, FATE), _told(after, FATE), model.lifecycle_source)
        for kind in kinds
    ]
    return _written(made, actor)


def note_of_vendor(
    vendor: Vendor, kind: str, before: State, after: State, *, source: str, actor: Ref
) -> LifecycleChange:
    """Write that a vendor's address or API version changed. Records: lifecycle.changed."""
    made = LifecycleChange(
        public_id=new_id("lch"), platform=vendor.platform, vendor=vendor, kind=kind,
        before=_told(before, before), after=_told(after, after), source=source,
        seen_at=clock.now(),
    )  # fmt: skip
    return _written([made], actor)[0]


def note_limits_change(
    model: Model, before: State, after: State, *, source: str, actor: Ref
) -> LifecycleChange:
    """Write that a vendor's answers name other limits than before. Records: lifecycle.changed."""
    made = _of_model(model, Kind.RATE_LIMIT, dict(before), dict(after), source)
    return _written([made], actor)[0]


def note_word(model: Model, entry: str, *, source: str, actor: Ref) -> LifecycleChange:
    """Write that a vendor's own answer says a model is gone. Records: lifecycle.changed."""
    now = _told(state_of(model), FATE)
    made = _of_model(model, Kind.RETIRED, now, {**now, "entry": entry}, source)
    return _written([made], actor)[0]


def note_rows(
    changes: Iterable[tuple[str, str, State, State, str]], *, name: str, actor: Ref
) -> int:
    """Write what changed of rows of the catalogue: (platform, name, before, after, source).

    Records: lifecycle.changed once for the document, with how many of each kind.
    """
    now = clock.now()
    made = [
        LifecycleChange(
            public_id=new_id("lch"), platform=platform, model_name=model, kind=kind,
            before=_told(before, FATE), after=_told(after, FATE), source=source, seen_at=now,
        )
        for platform, model, before, after, source in changes
        for kind in kinds_between(before, after)
    ]  # fmt: skip
    LifecycleChange.objects.bulk_create(made, batch_size=500)
    if made:
        counts = Counter(str(change.kind) for change in made)
        facts: dict[str, Fact] = dict(sorted(counts.items()))
        facts |= {"first": made[0].public_id, "last": made[-1].public_id}
        record(Verb.LIFECYCLE_CHANGED, Ref("catalogue", name), actor=actor, facts=facts)
    return len(made)


def _of_model(
    model: Model, kind: str, before: dict[str, Any], after: dict[str, Any], source: str
) -> LifecycleChange:
    return LifecycleChange(
        public_id=new_id("lch"), platform=model.vendor.platform, model_name=model.name,
        model=model, vendor=model.vendor, kind=kind, before=before, after=after, source=source,
        seen_at=clock.now(),
    )  # fmt: skip


def _written(made: list[LifecycleChange], actor: Ref) -> list[LifecycleChange]:
    LifecycleChange.objects.bulk_create(made)
    for change in made:
        subject = change.model.ref if change.model else Ref("vendor", _vendor_id(change))
        facts: dict[str, Fact] = {
            "change": change.public_id,
            "kind": str(change.kind),
            "platform": change.platform,
            "model": change.model_name,
            "before": _line(change.before),
            "after": _line(change.after),
            "source": change.source,
        }
        record(Verb.LIFECYCLE_CHANGED, subject, actor=actor, facts=facts)
    return made


def _vendor_id(change: LifecycleChange) -> str:
    assert change.vendor is not None  # noqa: S101  a change is of a model or of a vendor
    return change.vendor.public_id


def _line(state: State) -> str:
    return json.dumps(state, sort_keys=True, separators=(",", ":"))


def _dates(state: State) -> tuple[Any, ...]:
    return state["retires_on"], state["date_precision"] or "exact"


def _told(state: State, names: Iterable[str]) -> dict[str, Any]:
    """A state as JSON holds it; the status under the name that people know it by."""
    return {
        "status" if name == "lifecycle_status" else name: value.isoformat()
        if isinstance(value, date)
        else value
        for name, value in ((name, state[name]) for name in names)
    }
