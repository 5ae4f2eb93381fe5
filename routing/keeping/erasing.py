"""Erasing: asked for by one person, agreed to by another, carried out in steps.

Every step destroys up to 500 keys in one commit with its tombstone and its count, so a crash
at any point leaves a request that goes on where it was. What a hold covers stays, and the
request waits for the hold to end; it is done when nothing of it can be read any more.
"""

from __future__ import annotations

from typing import Any

from django.db import OperationalError, connection, transaction
from django.db.models import F
from django.db.models.functions import Now

from approvals.actions.asking import Question, ask, redeem
from approvals.models import Review
from kernel import clock
from kernel.canonical import digest
from kernel.db import refused_as
from kernel.refs import new_id
from ledger.record import record
from ledger.retention.shredding import BATCH, is_busy, shred
from ledger.verbs import Verb
from registry.actors import Actor
from routing.keeping.errors import ErasureNotFound, ErasureUnderWay, MayNotKeep
from routing.keeping.meaning import (
    agent_named,
    owners_of,
    require_decider,
    require_reader,
    stated,
    tag_of,
)
from routing.keeping.previewing import ENTRIES, KEYS, Preview, asked, preview
from routing.models import Erasure

State = Erasure.State


def erasure_for(actor: Actor, public_id: str) -> Erasure:
    """Return an erasure. Raises: MayNotKeep, ErasureNotFound."""
    require_reader(actor)
    found = Erasure.objects.filter(public_id=public_id[:80].replace("\0", "")).first()
    if found is None:
        raise ErasureNotFound(f"There is no erasure {public_id[:80]!r}.")
    return found


def preview_erasure(
    scope: str, subject: str, *, actor: Actor, data_classes: list[str]
) -> tuple[str, str, Preview]:
    """Return whom is meant (id or tag, name) and what an erasure would destroy.

    Raises: MayNotKeep, NothingNamed, DataSubjectUnusable.
    """
    require_decider(actor)
    found, name = agent_named(actor, subject) if scope == "agent" else (tag_of(subject), "")
    return found, name, preview(scope, found, data_classes)


@transaction.atomic
def request_erasure(
    scope: str,
    subject: str,
    *,
    actor: Actor,
    reason: str,
    data_classes: list[str],
    reference: str = "",
) -> Erasure:
    """Ask for what was said by an agent, or of a data subject, to be destroyed.

    Records: erasure.requested, review.opened. Raises: MayNotKeep, NothingNamed,
    DataSubjectUnusable, ErasureUnderWay.
    """
    why = stated(reason)
    found, name, seen = preview_erasure(scope, subject, actor=actor, data_classes=data_classes)
    if actor.person is None:
        raise MayNotKeep(
            "A person asks, with their own token; another person decides.",
            rule="routing.keeping_decide",
        )
    with refused_as({"routing_erasure_one_under_way": ErasureUnderWay()}):
        erasure = Erasure.objects.create(
            public_id=new_id("ers"),
            scope=scope,
            subject=found,
            subject_name=name,
            data_classes=sorted(data_classes),
            reason=why,
            reference=reference.strip()[:200],
            requested_by=str(actor.ref),
            requested_at=clock.now(),
        )
    record(
        Verb.ERASURE_REQUESTED,
        erasure.ref,
        actor=actor.ref,
        facts={
            "scope": scope,
            "covers": found,
            "data_classes": erasure.data_classes,
            "reference": erasure.reference,
            "keys": seen.keys,
            "payloads": seen.payloads,
            "held": seen.held_keys,
        },
        agent_id=_agent(erasure),
        stream=str(erasure.ref),
        payload=why.encode(),
    )
    review = ask(
        Question(
            kind=Review.Kind.ERASURE.value,
            subject=erasure.ref,
            subject_name=erasure.title,
            digest=_digest(erasure),
            text=f"May what is on record of {erasure.title} be destroyed?",
            requester=actor.person,
            stakes=Review.Stakes.HIGH,
            excluded=owners_of(scope, found),
            evidence={
                "keys": seen.keys,
                "payloads": seen.payloads,
                "runs": seen.runs,
                "held_keys": seen.held_keys,
                "reference": erasure.reference,
            },
            justification=why,
        ),
        actor=actor,
    )
    erasure.review = review.public_id
    erasure.save(update_fields=["review"])
    return erasure


def carry_out_erasures(*, actor: Actor) -> int:
    """Take every erasure as far as it goes now; return how many keys were destroyed.

    Records: datakey.shredded, erasure.completed, erasure.ended. Raises: ShredJournalUnusable.
    """
    for erasure in Erasure.objects.filter(state=State.WAITING).order_by("id"):
        _settle(erasure.public_id, actor)
    return sum(
        _carry_out(erasure, actor)
        for erasure in Erasure.objects.filter(state=State.APPROVED).order_by("id")
    )


@transaction.atomic
def _settle(public_id: str, actor: Actor) -> None:
    """Begin what was agreed to; close what was not."""
    erasure = Erasure.objects.select_for_update().get(public_id=public_id)
    if erasure.state != State.WAITING:
        return
    if redeem(Review.Kind.ERASURE, erasure.ref, _digest(erasure), actor=actor) is not None:
        erasure.state, erasure.until = State.APPROVED, clock.now()
        erasure.save(update_fields=["state", "until"])
        return
    review = Review.objects.filter(public_id=erasure.review).first()
    waits = (Review.State.OPEN, Review.State.APPROVED)
    if review is not None and review.state in waits and review.expires_at > clock.now():
        return
    erasure.state, erasure.closed_at = State.ENDED, clock.now()
    erasure.save(update_fields=["state", "closed_at"])
    record(
        Verb.ERASURE_ENDED,
        erasure.ref,
        actor=actor.ref,
        facts={"review": erasure.review, "because": review.state if review else "no review"},
        agent_id=_agent(erasure),
        stream=str(erasure.ref),
    )


def _carry_out(erasure: Erasure, actor: Actor) -> int:
    destroyed, held, last = 0, 0, ""
    while keys := _following(erasure, last):
        last = keys[-1]
        try:
            done = _destroy(erasure, keys, actor)
        except OperationalError as error:
            if not is_busy(error):
                raise
            return destroyed  # the next sweep goes on here
        destroyed += done
        held += len(keys) - done
    _conclude(erasure.pk, held, actor)
    return destroyed


def _following(erasure: Erasure, last: str) -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT dek_id FROM ({KEYS}) AS k WHERE dek_id > %(last)s ORDER BY dek_id"  # noqa: S608
            " LIMIT %(most)s",
            _asked(erasure) | {"last": last, "most": BATCH},
        )
        return [row[0] for row in cursor.fetchall()]


@transaction.atomic
def _destroy(erasure: Erasure, keys: list[str], actor: Actor) -> int:
    locked = Erasure.objects.select_for_update().get(pk=erasure.pk)
    if locked.state != State.APPROVED:
        return 0
    forget_copies(keys, labels=erasure.scope == Erasure.Scope.DATA_SUBJECT)
    done = shred(
        keys,
        why="request",
        subject=erasure.ref,
        actor=actor.ref,
        facts={"review": erasure.review, "requested_by": erasure.requested_by},
        agent_id=_agent(erasure),
    )
    Erasure.objects.filter(pk=erasure.pk).update(keys_destroyed=F("keys_destroyed") + done.keys)
    return done.keys


def forget_copies(keys: list[str], *, labels: bool = False) -> None:
    """Drop what points at the vendor's copy; ``labels``: and what the agent called the runs."""
    said = (
        f"(SELECT DISTINCT e.entry_id, e.stream FROM ledger_datakey k {ENTRIES}"  # noqa: S608
        " WHERE k.dek_id = ANY (%(keys)s) AND NOT EXISTS (SELECT FROM ledger_held(%(keys)s) h"
        " WHERE h.dek_id = k.dek_id))"
    )
    with connection.cursor() as cursor:
        cursor.execute(
            "DELETE FROM routing_storedresponse s USING"  # noqa: S608
            f" {said} AS said WHERE s.intent_id = said.entry_id",
            {"keys": keys},
        )
        if not labels:
            return
        cursor.execute(
            f"UPDATE routing_run r SET label = r.run_id FROM {said} AS said"  # noqa: S608
            " WHERE r.run_id = said.stream AND r.label <> r.run_id",
            {"keys": keys},
        )
        cursor.execute(
            "UPDATE routing_runsummary r SET label = r.run_id,"  # noqa: S608
            f" searchable = replace(searchable, lower(label), '') FROM {said} AS said"
            " WHERE r.run_id = said.stream AND r.label <> r.run_id",
            {"keys": keys},
        )


@transaction.atomic
def _conclude(pk: int, held: int, actor: Actor) -> None:
    erasure = Erasure.objects.select_for_update().get(pk=pk)
    if erasure.state != State.APPROVED:
        return
    erasure.keys_held = held
    if held:
        erasure.save(update_fields=["keys_held"])
        return
    added = record(
        Verb.ERASURE_COMPLETED,
        erasure.ref,
        actor=actor.ref,
        facts={
            "scope": erasure.scope,
            "covers": erasure.subject,
            "keys": erasure.keys_destroyed,
            "until": erasure.until.strftime("%Y-%m-%dT%H:%M:%SZ") if erasure.until else None,
            "reference": erasure.reference,
            "review": erasure.review,
            "requested_by": erasure.requested_by,
        },
        agent_id=_agent(erasure),
        stream=str(erasure.ref),
    )
    erasure.state, erasure.closed_at, erasure.entry = State.DONE, Now(), added.entry_id
    erasure.save(update_fields=["state", "closed_at", "keys_held", "entry"])


def _asked(erasure: Erasure) -> dict[str, Any]:
    return asked(erasure.scope, erasure.subject, erasure.data_classes, erasure.until)


def _digest(erasure: Erasure) -> str:
    return digest(
        {
            "erase": erasure.public_id,
            "scope": erasure.scope,
            "subject": erasure.subject,
            "data_classes": erasure.data_classes,
        }
    )


def _agent(erasure: Erasure) -> str:
    return erasure.subject if erasure.scope == Erasure.Scope.AGENT else ""
