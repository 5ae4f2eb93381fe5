"""Holds and ages as people set them: who may, and how a hold ends.

A hold is placed by one person of security. It ends when another has agreed: the one who asks
and the one who decides are two, and who placed it does not decide.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from django.db import connection, transaction

from approvals.actions.asking import Question, ask, redeem
from approvals.models import Review
from kernel.canonical import digest
from kernel.refs import Ref
from ledger.models import LegalHold, RetentionAge
from ledger.retention import ages, legal_holds, months
from ledger.retention.shredding import link_tombstones
from registry.actors import Actor
from registry.manifest.sensitivity import DATA_CLASSES
from routing.keeping.errors import HoldEnded, MayNotKeep, NothingNamed
from routing.keeping.meaning import covers, owners_of, require_decider, stated
from routing.keeping.previewing import hold_named


@dataclass(frozen=True, slots=True)
class Ending:
    """A hold after somebody wanted it ended; with the question to be answered first."""

    hold: LegalHold
    review: Review | None = None


@transaction.atomic
def place_hold(
    scope: str,
    subject: str = "",
    *,
    actor: Actor,
    reason: str,
    starts_on: date | None = None,
    ends_on: date | None = None,
) -> LegalHold:
    """Hold an agent, a run, a data subject, a period, or everything, from now on.

    Records: hold.placed. Raises: MayNotKeep, NothingNamed, DataSubjectUnusable.
    """
    require_decider(actor)
    why = stated(reason)
    meant = covers(actor, scope, subject, starts_on=starts_on, ends_on=ends_on)
    return legal_holds.place(meant, actor=actor.ref, reason=why)


@transaction.atomic
def end_hold(public_id: str, *, actor: Actor, reason: str) -> Ending:
    """Ask for a hold to end; asked again after another person agreed, end it.

    Records: review.opened; or hold.ended, review.redeemed. Raises: MayNotKeep, HoldNotFound,
    HoldEnded, NothingNamed, ReviewAlreadyOpen.
    """
    require_decider(actor)
    why = stated(reason)
    hold = LegalHold.objects.select_for_update().get(pk=hold_named(public_id).pk)
    if not hold.is_in_force:
        raise HoldEnded(f"Hold {hold.public_id} has ended already.")
    bound = digest({"end": hold.public_id, "scope": hold.scope, "subject": hold.subject})
    granted = redeem(Review.Kind.HOLD_END, hold.ref, bound, actor=actor)
    if granted is not None:
        legal_holds.end(hold, actor=actor.ref, reason=why, review=granted.public_id)
        return Ending(hold)
    if actor.person is None:
        raise MayNotKeep(
            "A person asks, with their own token; another person decides.",
            rule="routing.keeping_decide",
        )
    placer = Ref.parse(hold.placed_by)
    review = ask(
        Question(
            kind=Review.Kind.HOLD_END.value,
            subject=hold.ref,
            subject_name=hold.title,
            digest=bound,
            text=f"May the legal hold on {hold.title} end?",
            requester=actor.person,
            excluded=frozenset({placer.id} if placer.kind == "person" else ())
            | owners_of(hold.scope, hold.subject),
            evidence={"hold": hold.public_id, "reason": hold.reason},
            justification=why,
        ),
        actor=actor,
    )
    return Ending(hold, review)


def set_age(data_class: str, days: int | None, *, actor: Actor, reason: str) -> RetentionAge:
    """Say how long payloads of a class are kept; ``others`` means every class without its own.

    Records: retention.set. Raises: MayNotKeep, NothingNamed, AgeTooShort.
    """
    require_decider(actor)
    why = stated(reason)
    known = {age.data_class for age in ages.ages(DATA_CLASSES)}
    name = ages.OTHERS if data_class == "others" else data_class
    if name not in known:
        raise NothingNamed(
            f"A class is one of {', '.join([*DATA_CLASSES, 'others'])}.", field="data_class"
        )
    return ages.set_age(name, days, actor=actor.ref, reason=why)


def keep_retention(*, actor: Actor) -> None:
    """Make months ahead, destroy what is old enough, drop what is empty of anything readable.

    Records: datakey.shredded, payloads.dropped. Raises: ShredJournalUnusable.
    """
    months.keep_months_ahead()
    link_tombstones(actor=actor.ref)
    ages.expire_keys(actor=actor.ref)
    months.drop_due_months(actor=actor.ref)
    with connection.cursor() as cursor:
        # Where every class ends, nothing is older than the longest age: nor is what points at it.
        cursor.execute(
            "DELETE FROM routing_storedresponse WHERE created_at < now() - make_interval(days =>"
            " (SELECT CASE WHEN bool_and(d IS NOT NULL) THEN max(d) END FROM"
            " (SELECT ledger_age_days(c) AS d FROM unnest(%s::text[]) AS c) AS told)) AND NOT"
            " EXISTS (SELECT FROM ledger_legalhold WHERE ended_at IS NULL)",
            [["", *DATA_CLASSES]],
        )
