"""How a sending ends: one transaction that names the claim, the state left, and what is known.

A worker whose claim another has taken writes no end. What is surely not done may be tried
again; what is not known never is, until somebody or something has looked.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any, Final, TypeVar

from django.db import InterfaceError, OperationalError, connection, transaction
from django.db.models.functions import Now

from effects.actions.claiming import Claim, seconds_from_now
from effects.adapters.adapter import Ending, Sent
from effects.models import Effect, Operation, Proposal
from ledger.entries import Fact
from ledger.models import Entry
from ledger.record import record
from ledger.verbs import Verb
from registry.actors import Actor

logger = logging.getLogger("unsprawl.effects")

MOST_ATTEMPTS: Final = 6
# Pauses before an ambiguous end is looked at again; after the last a person must look.
LOOKS: Final = (5.0, 20.0, 60.0, 180.0, 600.0, 1800.0, 3600.0, 7200.0)
_RECORDING_PAUSES: Final = (0.2, 0.5, 1.0, 2.0, 4.0, 8.0)

_STATES = Proposal.State
_T = TypeVar("_T")


class ClaimLost(Exception):
    """Raised when another worker has taken the action meanwhile: this one says nothing of it."""


def persist(write: Callable[[], _T]) -> _T:
    """Write what is known of an effect, also when the database is gone for a moment."""
    for pause in _RECORDING_PAUSES:
        try:
            return write()
        except (OperationalError, InterfaceError) as error:
            if connection.in_atomic_block:
                raise
            logger.warning("the end of an effect is not on record yet (%s)", type(error).__name__)
            connection.close()
            time.sleep(pause)
    return write()


def conclude(taken: Claim, sent: Sent, *, actor: Actor) -> str:
    """Record how a first sending ended; return the state that it leaves. Raises: ClaimLost."""
    if sent.ending is Ending.DONE:
        return settle(taken, _STATES.SUCCEEDED, sent, actor=actor)
    if sent.ending is Ending.UNKNOWN:
        return leave_unknown(taken, sent, actor=actor)
    if sent.retry_after_seconds is not None and taken.effect.attempts + 1 < MOST_ATTEMPTS:
        return put_off(taken, sent, actor=actor)
    return settle(taken, _STATES.FAILED, sent, actor=actor)


@transaction.atomic
def settle(  # noqa: PLR0913  one fact, said in one call with named parts
    taken: Claim, state: str, sent: Sent, *, actor: Actor, how: str = "", by: str = "",
    payload: bytes | None = None,
) -> str:  # fmt: skip
    """End an action for good.

    Records: effect.succeeded or effect.failed; effect.reconciled where it was not known before.
    Raises: ClaimLost.
    """
    changes: dict[str, Any] = {"again_at": None, "leased_until": None}
    if how:
        changes |= {"reconciled_how": how, "reconciled_by": by, "reconciled_at": Now()}
    _move(taken, state, sent, ended_at=Now(), **changes)
    verb = Verb.EFFECT_SUCCEEDED if state == _STATES.SUCCEEDED else Verb.EFFECT_FAILED
    facts = _facts(taken, sent)
    if how:
        verb, facts = Verb.EFFECT_RECONCILED, facts | {"state": state, "how": how}
    say(taken, verb, facts, actor=actor, payload=payload)
    return state


@transaction.atomic
def leave_unknown(taken: Claim, sent: Sent, *, actor: Actor) -> str:
    """Say that nobody knows, and when somebody asks.

    Records: effect.unknown, once. Raises: ClaimLost.
    """
    is_new = taken.found != _STATES.UNKNOWN
    looks = 0 if is_new else int(taken.effect.outcome.get("looks", 0)) + 1
    pause = _pause(taken.proposal.operation, looks, sent)
    again_at = None if pause is None else seconds_from_now(pause)
    _move(taken, _STATES.UNKNOWN, sent, {"looks": looks}, again_at=again_at, leased_until=None)
    if is_new:
        say(taken, Verb.EFFECT_UNKNOWN, _facts(taken, sent), actor=actor)
    return _STATES.UNKNOWN


def _pause(operation: Operation, looks: int, sent: Sent) -> float | None:
    if operation.idempotency == Operation.Idempotency.NONE or looks >= len(LOOKS):
        return None
    return max(LOOKS[looks], sent.retry_after_seconds or 0.0)


@transaction.atomic
def put_off(taken: Claim, sent: Sent, *, actor: Actor) -> str:
    """Have what was surely not done tried again later, under the same key.

    Records: effect.put_off. Raises: ClaimLost.
    """
    pause = max(sent.retry_after_seconds or 0.0, min(2.0**taken.effect.attempts, 300.0))
    _move(
        taken, _STATES.APPROVED, sent,
        sent_at=None, leased_until=None, again_at=seconds_from_now(pause),
    )  # fmt: skip
    say(taken, Verb.EFFECT_PUT_OFF, _facts(taken, sent) | {"seconds": int(pause)}, actor=actor)
    return _STATES.APPROVED


def _move(
    taken: Claim, state: str, sent: Sent, more: dict[str, Any] | None = None, *,
    ended_at: Any = None, **changes: Any,
) -> None:  # fmt: skip
    word, _, why = sent.status.partition(":")
    outcome: dict[str, Any] = {"status": sent.status, **(more or {})}
    if word == "voided":  # one word for it, whatever the reason
        outcome |= {"status": word, "why": why}
    if sent.reference:
        outcome["reference"] = sent.reference
    if ended_at is not None:
        changes["ended_at"] = ended_at
    held = Effect.objects.filter(pk=taken.effect.pk, fence=taken.fence)
    if not held.update(outcome=outcome, **changes):
        raise ClaimLost
    left = [_STATES.CLAIMED, _STATES.SENT, _STATES.UNKNOWN]
    rows = Proposal.objects.filter(pk=taken.proposal.pk, state__in=left)
    if not rows.update(state=state, ended_at=ended_at):
        raise ClaimLost


def _facts(taken: Claim, sent: Sent) -> dict[str, Fact]:
    facts: dict[str, Fact] = {"status": sent.status, "fence": taken.fence}
    return facts | ({"reference": sent.reference} if sent.reference else {})


def say(
    taken: Claim, verb: Verb, facts: dict[str, Fact], *, actor: Actor, payload: bytes | None = None
) -> str:
    """Put a fact about an effect where its run is told; return the entry.

    Records: what it is told.
    """
    proposal = taken.proposal
    link = record(
        verb,
        proposal.ref,
        actor=actor.ref,
        kind=Entry.Kind.EFFECT,
        agent_id=proposal.agent.public_id,
        stream=proposal.run_id or str(proposal.ref),
        facts={"effect": taken.effect.public_id, **facts},
        payload=payload,
        data_class=_data_class(proposal),
    )
    return link.entry_id


def _data_class(proposal: Proposal) -> str:
    order = ("public", "internal", "confidential", "personal", "regulated")
    held = [name for name in order if name in proposal.agent.data_classes]
    return held[-1] if held else "internal"
