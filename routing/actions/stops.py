"""Placing and lifting stops. That a stop holds everywhere is proven apart, in `containing`.

Whoever answers for an agent stops it and its keys; security and platform stop anything. A
stop by those who govern takes the place of an owner's own. Everything is lifted by two
people: one asks, another with the security role decides, and neither is alone; who placed
the stop does not decide.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from django.db import transaction

from approvals.actions.asking import Question, ask, redeem
from approvals.models import Review
from kernel import clock
from kernel.canonical import digest
from kernel.db import refused_as
from kernel.refs import Ref, new_id
from ledger.entries import Fact
from ledger.record import record
from ledger.verbs import Verb
from registry.actors import Actor
from routing.errors import LiftNeedsPeople, MayNotStop, ReasonMissing, StopInForce, StopLifted
from routing.models import Stop
from routing.queries.stops import (
    Subject,
    in_force,
    office_of,
    require_office,
    stop_for,
    subject_for,
    subject_of,
)

LONGEST_REASON: Final = 2000


@dataclass(frozen=True, slots=True)
class Lifting:
    """A stop after somebody wanted it lifted; with the question that has to be answered first."""

    stop: Stop
    review: Review | None = None


@transaction.atomic
def place_stop(scope: str, subject: str, *, actor: Actor, reason: str) -> Stop:
    """Stop everything of a subject, from the moment of the commit.

    Records: stop.placed (and stop.lifted of an owner's own that it takes the place of).
    Raises: SubjectNotFound, MayNotStop, ReasonMissing, StopInForce.
    """
    found = subject_for(actor, scope, subject)
    office = require_office(actor, found)
    why = _stated(reason)
    _take_over(found, office, actor)
    taken = StopInForce(f"There is a stop of {found.title} already.")
    if present := in_force(scope, found.id).first():
        taken = StopInForce(
            f"Stop {present.public_id} holds {found.title} already.", stop=present.public_id
        )
        raise taken
    with refused_as({"routing_stop_one_in_force": taken}):
        stop = Stop.objects.create(
            public_id=new_id("stp"),
            scope=scope,
            subject=found.id,
            subject_name=found.name,
            reason=why,
            placed_by=str(actor.ref),
            placed_as=office,
            placed_at=clock.now(),
        )
    _record(Verb.STOP_PLACED, stop, found, actor, {"reason": why, "placed_as": office})
    return stop


@transaction.atomic
def lift_stop(public_id: str, *, actor: Actor, reason: str) -> Lifting:
    """Let what was stopped go on; of everything only once two people have said so.

    The first asking of a fleet's stop opens a review; asking again after it was granted
    lifts the stop.
    Records: stop.lifted, or review.opened; review.redeemed.
    Raises: StopNotFound, StopLifted, MayNotStop, ReasonMissing, LiftNeedsPeople,
    ReviewAlreadyOpen.
    """
    stop = Stop.objects.select_for_update().get(pk=stop_for(actor, public_id).pk)
    if not stop.is_in_force:
        raise StopLifted(f"Stop {stop.public_id} was lifted already.")
    found = subject_of(stop, actor)
    _require_lifting(stop, found, actor)
    why = _stated(reason)
    if stop.scope == Stop.Scope.FLEET:
        bound = lift_digest(stop)
        if redeem(Review.Kind.STOP_LIFT, stop.ref, bound, actor=actor) is None:
            return Lifting(stop, _ask(stop, bound, why, actor))
    _lift(stop, found, why, actor)
    return Lifting(stop)


def lift_digest(stop: Stop) -> str:
    """Return what a review of a lifting is bound to: this stop, and no later one."""
    return digest({"lift": stop.public_id, "scope": stop.scope, "subject": stop.subject})


def _ask(stop: Stop, bound: str, why: str, actor: Actor) -> Review:
    if actor.person is None:
        raise LiftNeedsPeople(
            "Say who asks: a person with the security or platform role, who comes with their"
            " own token. Another person with the security role then decides."
        )
    placer = Ref.parse(stop.placed_by)
    return ask(
        Question(
            kind=Review.Kind.STOP_LIFT.value,
            subject=stop.ref,
            subject_name="everything",
            digest=bound,
            text="May every call go on again?",
            requester=actor.person,
            excluded=frozenset({placer.id} if placer.kind == "person" else ()),
            evidence={"stop": stop.public_id, "reason": stop.reason},
            justification=why,
        ),
        actor=actor,
    )


def _lift(stop: Stop, found: Subject, why: str, actor: Actor) -> None:
    stop.lifted_at, stop.lifted_by, stop.lifted_reason = clock.now(), str(actor.ref), why
    stop.save(update_fields=["lifted_at", "lifted_by", "lifted_reason"])
    _record(Verb.STOP_LIFTED, stop, found, actor, {"reason": why, "placed_by": stop.placed_by})


def _take_over(found: Subject, office: str, actor: Actor) -> None:
    if office == "owner":
        return
    lesser = in_force(found.scope, found.id).filter(placed_as="owner").select_for_update()
    for stop in lesser:
        _lift(stop, found, f"Another by {office} takes its place.", actor)


def _require_lifting(stop: Stop, found: Subject, actor: Actor) -> None:
    office = office_of(actor, found)
    if office == "owner" and stop.placed_as != "owner":
        office = ""
    if not office:
        raise MayNotStop(
            "Security and platform lift stops; owners lift those that an owner placed.",
            rule="routing.lifts",
        )


def _stated(reason: str) -> str:
    text = reason.strip()
    if not text:
        raise ReasonMissing("Say why in a sentence; others will ask.", field="reason")
    if len(text) > LONGEST_REASON or "\x00" in text:
        raise ReasonMissing(
            f"A reason is plain text of at most {LONGEST_REASON} characters.", field="reason"
        )
    return text


def _record(verb: Verb, stop: Stop, found: Subject, actor: Actor, facts: dict[str, Fact]) -> None:
    record(
        verb,
        stop.ref,
        actor=actor.ref,
        facts={"scope": stop.scope, "subject": str(stop.subject_ref), **facts},
        agent_id=found.agent.public_id if found.agent is not None else "",
        stream="" if found.agent is not None else str(stop.subject_ref),
    )
