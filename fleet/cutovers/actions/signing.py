"""Agreeing to a cutover: owners for their agents, security above a class of data; then it starts.

Owns that a signature is to one digest: these agents, that model, these reports, these steps.
"""

from __future__ import annotations

from django.db import transaction

from fleet.cutovers.actions.moving import start
from fleet.cutovers.actions.noting import hold_cutover, named, note
from fleet.cutovers.errors import NotSigned, NotYoursToSign, SignatureVoid
from fleet.cutovers.models import Cutover, CutoverAgent
from fleet.cutovers.queries.cutovers import bound_digest, cutover_for, rows_of, signs_as
from fleet.evaluations.models import Evaluation
from kernel import clock
from ledger.verbs import Verb
from registry.actors import Actor
from registry.models import Role
from routing.queries.shifts import paused_for

_WAITING = CutoverAgent.State.WAITING
_SIGNED = ["state", "signed_by", "signed_digest", "signed_as", "signed_at", "changed_at"]


@transaction.atomic
def sign_off(public_id: str, *, digest: str, actor: Actor) -> Cutover:
    """Agree for every agent of one's own; with the last signature the cutover starts.

    Nobody signs for somebody else's agent, whatever their roles. One signature is one entry,
    which names all agents it is for in its payload.
    Records: cutover.signed; cutover.started. Raises: CutoverNotFound,
    CutoverMoved, SignatureVoid, NotYoursToSign.
    """
    cutover_for(actor, public_id)
    cutover = hold_cutover(public_id, Cutover.State.SIGNING)
    rows = list(rows_of(cutover))
    mine = [row for row in rows if row.state == _WAITING and signs_as(actor, row.agent)]
    if not mine or actor.person is None:
        raise NotYoursToSign("None of the agents that wait for a signature is yours.")
    _check_digest(cutover, rows, digest)
    now = clock.now()
    for row in mine:
        row.state, row.signed_by = CutoverAgent.State.SIGNED, actor.person
        row.signed_digest, row.signed_as = digest, signs_as(actor, row.agent)
        row.signed_at = row.changed_at = now
    CutoverAgent.objects.bulk_update(mine, _SIGNED, batch_size=2000)
    _note_signed(cutover, mine, digest, actor)
    start_if_agreed(cutover, actor=actor)
    return cutover


@transaction.atomic
def start_without_others(public_id: str, *, actor: Actor) -> Cutover:
    """Start with those who agreed, and leave out the rest.

    Records: cutover.started. Raises: RoleMissing, CutoverNotFound, CutoverMoved, NotSigned,
    SignatureVoid.
    """
    actor.require(Role.PLATFORM)
    cutover_for(actor, public_id)
    cutover = hold_cutover(public_id, Cutover.State.SIGNING)
    if cutover.needs_security and cutover.security_agreed_at is None:
        raise NotSigned("Security has not agreed yet.", review=cutover.security_review)
    if not rows_of(cutover).filter(state=CutoverAgent.State.SIGNED).exists():
        raise NotSigned("No owner has agreed yet.")
    _check_digest(cutover, list(rows_of(cutover)))
    rows_of(cutover).filter(state=_WAITING).update(
        state=CutoverAgent.State.LEFT_OUT, why="Not signed.", changed_at=clock.now()
    )
    start(cutover, actor=actor)
    return cutover


def start_if_agreed(cutover: Cutover, *, actor: Actor) -> bool:
    """Start a held cutover once everybody has agreed; say whether it did.

    The first step ends the pause of an agent, so where one is in force the platform team starts.
    Raises: SignatureVoid.
    """
    if cutover.needs_security and cutover.security_agreed_at is None:
        return False
    rows = list(rows_of(cutover))
    if any(row.state == _WAITING for row in rows):
        return False
    _check_digest(cutover, rows)
    if not _may_lift(actor) and paused_for([row.agent for row in rows], cutover.source):
        cutover.held_because = "the platform team, which has paused an agent, to start it"
        cutover.save(update_fields=["held_because"])
        return False
    start(cutover, actor=actor)
    return True


def _may_lift(actor: Actor) -> bool:
    """Say whether somebody may end a pause by what they do: a person of the platform team."""
    return actor.person is not None and actor.has(Role.PLATFORM)


def _check_digest(cutover: Cutover, rows: list[CutoverAgent], signed: str = "") -> None:
    """Refuse what is signed to something else than what is there: now, or by those before."""
    bound = bound_digest(cutover, rows)
    digests = {signed or bound} | {row.signed_digest for row in rows if row.signed_digest}
    reports = {row.evaluation: row.evaluation_digest for row in rows if row.evaluation}
    found = Evaluation.objects.filter(public_id__in=reports).values_list("public_id", "digest")
    if digests != {bound} or any(reports[name] != now for name, now in found):
        raise SignatureVoid("Look at the cutover again, and sign what is there now.")


def _note_signed(cutover: Cutover, rows: list[CutoverAgent], digest: str, actor: Actor) -> None:
    said = [f"{row.agent.name} as its {row.signed_as}" for row in rows]
    note(
        Verb.CUTOVER_SIGNED,
        cutover,
        f"{actor.person} agreed for {named(said)}.",
        actor=actor,
        agent=rows[0].agent if len(rows) == 1 else None,
        facts={
            "digest": digest,
            "count": len(rows),
            "agents": [row.agent.public_id for row in rows[:20]],
            "evaluations": sorted({row.evaluation for row in rows if row.evaluation})[:20],
        },
        whole=f"{actor.person} agreed for {', '.join(said)}.",
    )
