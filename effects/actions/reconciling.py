"""What is not known: asked of the other system where it can tell, and of a person where not.

Native keys are sent again while the approval holds, because the other side knows them; a look-up
asks, again and again, until what it says is old enough to be believed. Nothing else sends a
second time.
"""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Final

from django.db import InterfaceError, OperationalError, transaction
from django.db.models import Q
from django.db.models.functions import Now

from approvals.humans import mailbox, mailboxes_of
from approvals.models import ReviewDecision
from effects.actions.asking import barred_from
from effects.actions.carrying_out import lent_for, ring_for, send_begun
from effects.actions.claiming import Claim, claim_lost, claim_unknown
from effects.actions.ending import (
    LOOKS,
    ClaimLost,
    leave_unknown,
    logger,
    persist,
    put_off,
    say,
    settle,
)
from effects.actions.verifying import Ready, Voided, ready
from effects.adapters.adapter import Ending, Lent, Sent
from effects.errors import NoteMissing, NotUnknown, UnderWay, YouTookPart
from effects.models import Effect, Operation, Proposal
from kernel import clock
from kernel.canonical import canonical
from kernel.db import ring
from kernel.errors import DomainError
from ledger.entries import Fact
from ledger.verbs import Verb
from registry.actors import Actor
from registry.models import Role

SWEEP: Final = "effects.reconcile"
PART_SECONDS: Final = 20.0
MAY_SETTLE: Final = (Role.SECURITY, Role.PLATFORM)
SETTLE_SECONDS: Final = 60
KEY_HOURS: Final = 24
LONGEST_NOTE: Final = 2000

_STATES = Proposal.State
_KINDS = Operation.Idempotency


def reconcile(*, actor: Actor) -> int:
    """Note whose worker did not come back, and ask about what is due; return how many.

    Records: effect.unknown, effect.begun, effect.reconciled, effect.put_off.
    """
    until, done = time.monotonic() + PART_SECONDS, 0
    for proposal_id in lost_now():
        done += note_lost(proposal_id, actor=actor) is not None
    while time.monotonic() < until and (due := unknown_due()):
        for proposal_id in due:
            done += look_again(proposal_id, actor=actor) is not None
            if time.monotonic() >= until:
                with transaction.atomic():
                    ring(SWEEP)
                break
    return done


def lost_now() -> list[str]:
    """Return the ids of what was begun by a worker whose time is over."""
    rows = Proposal.objects.filter(state=_STATES.SENT, carried_out__leased_until__lt=Now())
    return list(rows.values_list("public_id", flat=True)[:200])


def unknown_due() -> list[str]:
    """Return the ids of what is not known and is to be asked about now."""
    free = Q(carried_out__leased_until__isnull=True) | Q(carried_out__leased_until__lt=Now())
    rows = Proposal.objects.filter(free, state=_STATES.UNKNOWN, carried_out__again_at__lte=Now())
    return list(rows.order_by("carried_out__again_at").values_list("public_id", flat=True)[:50])


def note_lost(proposal_id: str, *, actor: Actor) -> str | None:
    """Say of an action that its worker began it and never told the end.

    Records: effect.unknown.
    """
    taken = claim_lost(proposal_id, actor=actor)
    if taken is None:
        return None
    try:
        return leave_unknown(taken, Sent(Ending.UNKNOWN, "worker_lost"), actor=actor)
    except ClaimLost:
        return None


def look_again(proposal_id: str, *, actor: Actor, at_once: bool = False) -> str | None:
    """Ask whether an action was done; return the state it is left in, None when it was not ours.

    Records: effect.begun for a key that is sent again, effect.reconciled, effect.put_off.
    """
    taken = claim_unknown(proposal_id, actor=actor, at_once=at_once)
    if taken is None:
        return None
    try:
        sent = _asked(taken, actor)
        return persist(lambda: _concluded(taken, sent, actor))
    except ClaimLost:
        logger.warning("proposal %s was taken by another worker", proposal_id)
        return None


def _asked(taken: Claim, actor: Actor) -> Sent:
    kind = taken.proposal.operation.idempotency
    try:
        what = ready(taken)
        with lent_for(taken, what) as lending:
            if kind == _KINDS.LOOKUP:
                lent = Lent(lending.headers, lending.user, lending.password)
                return what.adapter.look_up(
                    what.place, what.work, what.arguments, lent, key=taken.effect.key
                )
            if kind == _KINDS.NATIVE and _still_holds(taken) and _key_is_known(taken, what):
                return send_begun(taken, what, lending, actor=actor)
    except Voided as error:
        return Sent(Ending.UNKNOWN, f"unasked:{error.why}")
    except DomainError as error:
        return Sent(Ending.UNKNOWN, f"unasked:{error.code}")
    except (OperationalError, InterfaceError) as error:
        return Sent(Ending.UNKNOWN, f"unasked:{type(error).__name__}")
    return Sent(Ending.UNKNOWN, "no_lookup")


def _still_holds(taken: Claim) -> bool:
    # Had the first never arrived, the same bytes again would be a first effect after its time.
    return taken.proposal.expires_at > clock.now()


def _key_is_known(taken: Claim, what: Ready) -> bool:
    # The other side forgets keys; after that, one is a first request again.
    first = taken.effect.sent_at
    hours = what.work.template.get("key_hours", KEY_HOURS)
    return first is None or clock.now() < first + timedelta(hours=int(hours))


def _concluded(taken: Claim, sent: Sent, actor: Actor) -> str:
    how = Effect.Reconciled.LOOKUP
    if sent.ending is Ending.DONE:
        return settle(taken, _STATES.SUCCEEDED, sent, actor=actor, how=how, by=str(actor.ref))
    # That a second request was refused says nothing of the first; only a look-up does.
    is_answer = taken.proposal.operation.idempotency == _KINDS.LOOKUP
    if sent.ending is Ending.NOT_DONE and is_answer and _has_settled(taken):
        if _still_holds(taken):
            again = Sent(Ending.NOT_DONE, sent.status, "", sent.retry_after_seconds or 0.0)
            return put_off(taken, again, actor=actor)
        return settle(taken, _STATES.FAILED, sent, actor=actor, how=how, by=str(actor.ref))
    return leave_unknown(taken, sent, actor=actor)


def _has_settled(taken: Claim) -> bool:
    seconds = taken.proposal.operation.lookup.get("settle_seconds", SETTLE_SECONDS)
    sent_at = taken.effect.sent_at
    return sent_at is not None and clock.now() >= sent_at + timedelta(seconds=int(seconds))


def ask_now(proposal_id: str, *, actor: Actor) -> None:
    """Have the other system asked at once, also when nobody would ask again by itself.

    Raises: RoleMissing, NotUnknown.
    """
    actor.require(*MAY_SETTLE)
    rows = Effect.objects.filter(
        proposal__public_id=proposal_id,
        proposal__state=_STATES.UNKNOWN,
        proposal__operation__idempotency__in=[_KINDS.NATIVE, _KINDS.LOOKUP],
    )
    if not rows.update(again_at=Now()):
        raise NotUnknown("There is nothing to ask: the system cannot be asked, or it is settled.")
    with transaction.atomic():
        ring(SWEEP)


@transaction.atomic
def settle_by_person(
    proposal_id: str, *, actor: Actor, was_done: bool, note: str, again: bool = False
) -> str:
    """Say what became of an action that nobody knows of, after looking in the other system.

    Whoever has a part in it, or answered its review, does not say so where it moves money or
    deletes, whichever account they come with. Trying again is for what was not done, while the
    approval holds.
    Records: effect.reconciled, and effect.put_off when it is tried again.
    Raises: RoleMissing, NoteMissing, YouTookPart, NotUnknown, UnderWay.
    """
    actor.require(*MAY_SETTLE)
    said = note.replace("\x00", "").strip()[:LONGEST_NOTE]
    if not said:
        raise NoteMissing
    proposal = _unknown(proposal_id)
    _require_four_eyes(proposal, actor)
    taken = claim_unknown(proposal_id, actor=actor, at_once=True)
    if taken is None:
        raise UnderWay
    how, by = Effect.Reconciled.PERSON, str(actor.ref)
    sent = Sent(Ending.DONE if was_done else Ending.NOT_DONE, "person:done" if was_done else
                "person:not_done")  # fmt: skip
    payload = canonical({"note": said})
    if again and not was_done and proposal.expires_at > clock.now():
        state = put_off(taken, sent, actor=actor)
        Effect.objects.filter(pk=taken.effect.pk).update(
            reconciled_how=how, reconciled_by=by, reconciled_at=Now()
        )
        facts: dict[str, Fact] = {"status": sent.status, "how": str(how), "state": state}
        say(taken, Verb.EFFECT_RECONCILED, facts, actor=actor, payload=payload)
        ring_for(proposal_id)
        return state
    state = _STATES.SUCCEEDED if was_done else _STATES.FAILED
    return settle(taken, state, sent, actor=actor, how=how, by=by, payload=payload)


def _unknown(proposal_id: str) -> Proposal:
    found = (
        Proposal.objects.filter(public_id=proposal_id, state=_STATES.UNKNOWN)
        .select_related("agent__owner", "agent__backup_owner", "operation")
        .first()
    )
    if found is None:
        raise NotUnknown
    return found


def _require_four_eyes(proposal: Proposal, actor: Actor) -> None:
    grave = {Operation.Effect.MONEY, Operation.Effect.DELETE}
    if proposal.operation.effect not in grave:
        return
    if actor.person is None:
        raise YouTookPart
    answers = ReviewDecision.objects.filter(review__public_id=proposal.review_id)
    deciders = answers.values_list("decider__public_id", "on_behalf_of__public_id")
    parties = barred_from(proposal) | {each for pair in deciders for each in pair if each}
    # With whatever account: one human is one voice here as well.
    if mailbox(actor.person.email) in mailboxes_of(parties):
        raise YouTookPart


def looks_left(effect: Effect) -> bool:
    """Say whether the other system is still asked by itself."""
    return int(effect.outcome.get("looks", 0)) < len(LOOKS) and effect.again_at is not None
