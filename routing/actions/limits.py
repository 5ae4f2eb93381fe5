"""Making what vendors' answers say of limits a change of a model, once it is one.

What an answer names first is known, and changes nothing. A new value counts when it has stood
alone for a while; values that come and go are one fact: the least of them, for a day after the
last turn. What nobody needs any more to see that is dropped.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from django.db import transaction
from django.db.models import Max

from kernel import clock
from registry.actors import Actor
from registry.models import Role
from routing.actions.changes import note_limits_change
from routing.models import LimitSeen, Model, ModelLimits
from routing.models.limits import MEASURES
from routing.queries.limits import limits_told

SOURCE: Final = "vendor's answers"
SETTLES: Final = timedelta(minutes=10)
WAVERS: Final = timedelta(hours=24)
_MOST: Final = 200
_ROWS: Final = 5000  # of one model in a day: one a minute is 1,440 for each gateway
_KEPT: Final = (*MEASURES, "is_wavering", "seen_at", "seen_key", "settled_at", "looks_again_at")


@dataclass(frozen=True, slots=True)
class _Held:
    """What holds of one measure, whether answers waver, and when that may be otherwise."""

    value: int | None
    is_wavering: bool = False
    until: datetime | None = None


def note_limits(*, actor: Actor) -> int:
    """Settle what gateways saw of limits; return how many models have others than before.

    Records: lifecycle.changed. Raises: RoleMissing.
    """
    actor.require(Role.PLATFORM)
    newest = LimitSeen.objects.values_list("model_id").annotate(last=Max("id")).order_by("last")
    held = {row.model.public_id: row for row in ModelLimits.objects.select_related("model")}
    now = clock.now()
    due = [name for name, last in newest if _is_due(held.get(name), last, now)]
    return sum(_settle(name, actor) for name in due[:_MOST])


def _is_due(held: ModelLimits | None, last: int, now: datetime) -> bool:
    if held is None or held.seen_key < last:
        return True
    return held.looks_again_at is not None and held.looks_again_at <= now


@transaction.atomic
def _settle(model_id: str, actor: Actor) -> bool:
    model = (
        Model.objects.select_for_update(of=("self",))
        .select_related("vendor")
        .filter(public_id=model_id)
        .first()
    )
    seen = LimitSeen.objects.filter(model_id=model_id)
    if model is None:
        seen.delete()
        return False
    now = clock.now()
    rows = list(seen.order_by("-seen_at", "-id")[:_ROWS])[::-1]
    held = ModelLimits.objects.filter(model=model).first()
    kept = held or ModelLimits(model=model)
    before = limits_told(kept, model.vendor.platform)
    kept.is_wavering, again = False, []
    for name in MEASURES:
        held_now = _held_of(rows, name, getattr(kept, name), now)
        setattr(kept, name, held_now.value)
        kept.is_wavering |= held_now.is_wavering
        again += [held_now.until] if held_now.until is not None else []
    kept.looks_again_at, kept.settled_at = min(again, default=None), now
    kept.seen_at, kept.seen_key = rows[-1].seen_at, max(row.pk for row in rows)
    after = limits_told(kept, model.vendor.platform)
    if held is None:
        kept.save(force_insert=True)
    else:
        kept.save(update_fields=_KEPT)
    _drop_old(rows, now)
    changed = {name for name in before.keys() & after.keys() if before[name] != after[name]}
    if not changed:
        return False
    note_limits_change(model, before, after, source=SOURCE, actor=actor.ref)
    return True


def _held_of(rows: Sequence[LimitSeen], name: str, known: int | None, now: datetime) -> _Held:
    turns = _turns((getattr(row, name), row.seen_at) for row in rows)
    if not turns:
        return _Held(known)
    newest, since = turns[-1]
    if known is None and len(turns) == 1:
        return _Held(newest)  # it becomes known at once
    started = [turn for turn in turns if turn[1] <= now - WAVERS][-1:]
    values = [value for value, _ in (*started, *(turn for turn in turns if turn[1] > now - WAVERS))]
    if len(values) > len(set(values)):  # one came back
        return _Held(min(values), is_wavering=True, until=since + WAVERS)
    if since > now - SETTLES:
        return _Held(known, until=since + SETTLES)
    return _Held(newest)


def _turns(said: Iterable[tuple[int, datetime]]) -> list[tuple[int, datetime]]:
    """Return when another value than before was said; what says nothing is passed over."""
    turns: list[tuple[int, datetime]] = []
    for value, at in said:
        if value and (not turns or turns[-1][0] != value):
            turns.append((value, at))
    return turns


def _drop_old(rows: Sequence[LimitSeen], now: datetime) -> None:
    """Drop what is older than a day, but for the newest that says something of each measure."""
    old = [row for row in rows if row.seen_at <= now - WAVERS]
    needed: set[Any] = set()
    for name in MEASURES:
        needed |= {row.pk for row in [each for each in old if getattr(each, name)][-1:]}
    gone = [row.pk for row in old if row.pk not in needed]
    first = rows[0].seen_at if len(rows) == _ROWS else None
    if gone:
        LimitSeen.objects.filter(pk__in=gone).delete()
    if first is not None:
        LimitSeen.objects.filter(model_id=rows[0].model_id, seen_at__lt=first).delete()
