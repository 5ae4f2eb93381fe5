"""Agreeing to a cutover: owners for their agents, security above a class of data; then it starts.

Owns that a signature is to one digest: these agents, that model, these reports, these steps.
"""

from __future__ import annotations

from django.db import transaction

from fleet.cutovers.actions.moving import start
from fleet.cutovers.actions.noting import hold_cutover, note
from fleet.cutovers.errors import NotSigned, NotYoursToSign, SignatureVoid
from fleet.cutovers.models import Cutover, CutoverAgent
from fleet.cutovers.queries.cutovers import bound_digest, cutover_for, rows_of, signs_as
from fleet.evaluations.models import Evaluation
from kernel import clock
from ledger.verbs import Verb
from registry.actors import Actor
from registry.models import Role

_WAITING = CutoverAgent.State.WAITING


@transaction.atomic
def sign_off(public_id: str, *, digest: str, actor: Actor) -> Cutover:
    """Agree for every agent of one's own; with the last signature the cutover starts.

    Nobody signs for somebody else's agent, whatever their roles.
    Records: cutover.signed for each agent; cutover.started. Raises: CutoverNotFound,
    CutoverMoved, SignatureVoid, NotYoursToSign.
    """
    cutover_for(actor, public_id)
    cutover = hold_cutover(public_id, Cutover.State.SIGNING)
    rows = list(rows_of(cutover))
    mine = [row for row in rows if row.state == _WAITING and signs_as(actor, row.agent)]
    if not mine or actor.person is None:
        raise NotYoursToSign("None of the agents that wait for a signature is yours.")
    _check_digest(cutover, rows, digest)
    for row in mine:
        row.state, row.signed_by, row.signed_digest = (
            CutoverAgent.State.SIGNED,
            actor.person,
            digest,
        )
        row.signed_as, row.signed_at = signs_as(actor, row.agent), clock.now()
        row.changed_at = row.signed_at
        row.save(
            update_fields=[
                "state", "signed_by", "signed_digest", "signed_as", "signed_at", "changed_at",
            ]
        )  # fmt: skip
        note(
            Verb.CUTOVER_SIGNED,
            cutover,
            f"{actor.person.name} agreed for {row.agent.name} as its {row.signed_as}.",
            actor=actor,
            agent=row.agent,
            facts={"digest": digest, "as": row.signed_as, "evaluation": row.evaluation},
        )
    start_if_agreed(cutover, actor=actor)
    return cutover


@transaction.atomic
def start_without_others(public_id: str, *, actor: Actor) -> Cutover:
    """Start with those who agreed, and leave out the rest.

    Records: cutover.started. Raises: RoleMissing, CutoverNotFound, CutoverMoved, NotSigned.
    """
    actor.require(Role.PLATFORM)
    cutover_for(actor, public_id)
    cutover = hold_cutover(public_id, Cutover.State.SIGNING)
    if cutover.needs_security and cutover.security_agreed_at is None:
        raise NotSigned("Security has not agreed yet.", review=cutover.security_review)
    if not rows_of(cutover).filter(state=CutoverAgent.State.SIGNED).exists():
        raise NotSigned("No owner has agreed yet.")
    rows_of(cutover).filter(state=_WAITING).update(
        state=CutoverAgent.State.LEFT_OUT, why="Not signed.", changed_at=clock.now()
    )
    start(cutover, actor=actor)
    return cutover


def start_if_agreed(cutover: Cutover, *, actor: Actor) -> bool:
    """Start a held cutover once everybody has agreed; say whether it did."""
    if cutover.needs_security and cutover.security_agreed_at is None:
        return False
    if rows_of(cutover).filter(state=_WAITING).exists():
        return False
    start(cutover, actor=actor)
    return True


def _check_digest(cutover: Cutover, rows: list[CutoverAgent], digest: str) -> None:
    named = {row.evaluation: row.evaluation_digest for row in rows if row.evaluation}
    found = Evaluation.objects.filter(public_id__in=named).values_list("public_id", "digest")
    if digest != bound_digest(cutover, rows) or any(named[name] != now for name, now in found):
        raise SignatureVoid("Look at the cutover again, and sign what is there now.")
