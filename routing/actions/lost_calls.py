"""Calls whose gateway died before it could say how they ended: closed as unknown.

A gateway that no longer beats is fenced first: once its writer's row is closed nothing of
it can be recorded any more, so that what is concluded here stays the only conclusion. A
process that goes on under a new epoch still owes the results of the old one, and is left
to give them.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from django.db import IntegrityError, transaction
from django.db.models import Exists, OuterRef, QuerySet
from django.db.models.functions import Now

from kernel import clock
from kernel.refs import Ref
from ledger.entries import Fact, Fields
from ledger.headers import Header, read_header
from ledger.models import Entry, Writer
from ledger.record import append
from ledger.verbs import Verb
from registry.actors import Actor
from routing.actions.settling import settle_lost
from routing.models import Call, LiveGateway, UsageMark

STALE_AFTER: Final = timedelta(seconds=15)
# No call is open for longer than a gateway's patience, and no writer beats after its closing.
LONGEST_CALL: Final = timedelta(hours=2)
# A gateway that has said nothing for this long carries nothing; its row is of no use any more.
FORGOTTEN_AFTER: Final = timedelta(days=1)
MARK: Final = "lost-calls"
BATCH: Final = 500
_BYTES_PER_TOKEN: Final = 4
_NUMBERED: Final = ("call", "attempt", "shadow", "fallback_reason")


def reap_lost_calls(*, actor: Actor) -> int:
    """Fence gateways that stopped beating and conclude what they left open; return how many.

    Records: call.lost.
    """
    started = clock.now()
    LiveGateway.objects.filter(seen_at__lt=Now() - FORGOTTEN_AFTER).delete()
    fenced = Writer.objects.filter(
        process__startswith="gateway:", closed_at=None, heartbeat_at__lt=Now() - STALE_AFTER
    )
    fenced.update(closed_at=Now())
    lost = list(_lost_intents()[:BATCH])
    concluded = sum(_conclude(entry, actor) for entry in lost)
    if len(lost) < BATCH:
        UsageMark.objects.update_or_create(name=MARK, defaults={"counted_at": started})
    return concluded


def _lost_intents() -> QuerySet[Entry]:
    mark = UsageMark.objects.filter(name=MARK).first()
    ended = Writer.objects.filter(process__startswith="gateway:", closed_at__isnull=False)
    if mark is not None:
        ended = ended.filter(closed_at__gt=mark.counted_at - timedelta(minutes=1))
    processes = set(ended.values_list("process", flat=True))
    alive = Writer.objects.filter(process__in=processes, closed_at=None)
    dead = processes - set(alive.values_list("process", flat=True))
    writers = Writer.objects.filter(process__in=dead)
    if not (known := list(writers)):
        return Entry.objects.none()
    result = Entry.objects.filter(kind=Entry.Kind.RESULT, intent_id=OuterRef("entry_id"))
    earliest = min(max(w.started_at, w.closed_at - LONGEST_CALL) for w in known if w.closed_at)
    return Entry.objects.filter(
        ~Exists(result),
        kind=Entry.Kind.INTENT,
        writer__in=[writer.writer for writer in known],
        recorded_at__gte=earliest - timedelta(minutes=1),
    ).order_by("id")


def _conclude(intent: Entry, actor: Actor) -> bool:
    header = read_header(bytes(intent.header))
    try:
        with transaction.atomic():
            # The windows first, as a gateway does: the two never wait for each other in a circle.
            settled = settle_lost(header)
            append(_result(header, actor, settled), stream=header.stream)
            if header.agent_id:
                _call(header).save(force_insert=True)
    except IntegrityError:
        return False  # concluded by somebody else in this moment
    return True


def _result(header: Header, actor: Actor, settled: list[str]) -> Fields:
    facts = header.facts
    charged: dict[str, Fact] = {}
    if settled:
        charged = {"settled": settled, "charged": "reserved"}
    return Fields(
        kind=Entry.Kind.RESULT.value,
        verb=Verb.CALL_LOST.value,
        actor=actor.ref,
        subject=Ref.parse(header.subject),
        recorded_at=clock.now(),
        agent_id=header.agent_id,
        intent_id=header.entry_id,
        facts={
            **{name: facts[name] for name in _NUMBERED if name in facts},
            "status": "unknown",
            "error": "gateway_lost",
            "route": facts.get("route"),
            "vendor": facts.get("vendor"),
            "model": facts.get("model"),
            **charged,
        },
    )


def _call(header: Header) -> Call:
    """The call as far as its intent tells; it may have cost something, and nobody knows what."""
    facts = {name: str(value) for name, value in header.facts.items()}
    attempt = 0 if header.facts.get("shadow") is True else int(facts.get("attempt", 1))
    size = header.payload.size if header.payload is not None else 0
    return Call(
        intent_id=header.entry_id,
        call_id=facts.get("call", "") if attempt != 1 else "",
        attempt=attempt,
        fallback_reason=facts.get("fallback_reason", ""),
        choice=facts.get("choice", ""),
        is_shadow=attempt == 0,
        run_id=header.stream,
        agent_id=header.agent_id,
        key_id=facts.get("key", ""),
        route=facts.get("route", ""),
        requested_model=facts.get("requested_model", ""),
        vendor=facts.get("vendor", ""),
        model=facts.get("model", ""),
        status=Call.Status.UNKNOWN,
        error_code="gateway_lost",
        streamed=header.facts.get("streamed") is True,
        input_tokens=size // _BYTES_PER_TOKEN,
        usage_estimated=True,
        cost_micros=None,
        started_at=header.recorded_at,
        duration_ms=0,
        made_for=facts.get("reevaluation", ""),
    )
