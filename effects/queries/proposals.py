"""Reading proposals: an agent its own, people those they answer for, decide or govern."""

from __future__ import annotations

from django.db import connection
from django.db.models import Case, F, Q, QuerySet, TextField, Value, When
from django.db.models.functions import Now

from approvals.models import Review
from approvals.queries import reviews_for
from effects.models import Gate, Operation, Proposal
from effects.refusals import OperationUnknown, ProposalNotFound
from ledger.models import Entry
from ledger.queries import SeenEntry, seen
from registry.actors import Actor
from registry.models import Agent, Role
from registry.queries import GOVERNING

_MOST_ENTRIES = 100
# Plain SQL: these are asked for every action that is proposed.
_LINE = """
SELECT count(*), min(id) FILTER (
    WHERE likeness = %(likeness)s AND state = 'proposed' AND expires_at > statement_timestamp()
)
FROM effects_proposal WHERE agent_id = %(agent)s AND (
    state IN ('claimed', 'sent')
    OR (state IN ('proposed', 'approved') AND expires_at > statement_timestamp())
)
"""
_OPERATION_NOW = """
SELECT digest, retired_at, revision, changed_at, disabled_at
FROM effects_operation JOIN effects_connection AS place ON place.id = connection_id
WHERE effects_operation.id = %s
"""
_ASKED_UNDER = """
SELECT id, request_digest FROM effects_proposal
WHERE agent_id = %(agent)s AND idempotency_key = %(key)s
UNION ALL
SELECT proposal_id, request_digest FROM effects_askedagain
WHERE agent_id = %(agent)s AND idempotency_key = %(key)s LIMIT 1
"""
_LATE = Q(state__in=("proposed", "approved"), expires_at__lte=Now())


def proposals_for(actor: Actor) -> QuerySet[Proposal]:
    """Return the proposals this viewer may see, each with its ``standing`` at this moment."""
    rows = Proposal.objects.select_related(
        "agent", "agent__owner", "operation", "operation__connection"
    ).annotate(
        standing=Case(
            When(_LATE, then=Value("expired")), default=F("state"), output_field=TextField()
        )
    )
    if actor.ref.kind == "agent":
        return rows.filter(agent__public_id=actor.ref.id)
    if actor.has(*GOVERNING) or actor.ref.kind == "system":
        return rows
    if actor.person is None:
        return rows.none()
    # Whom a review is put to reads what it is about.
    seen = Q(review_id__in=reviews_for(actor).filter(kind="proposal").values("public_id"))
    if actor.has(Role.EMPLOYEE):
        seen |= Q(agent__owner=actor.person) | Q(agent__backup_owner=actor.person)
    return rows.filter(seen)


def proposal_for(actor: Actor, public_id: str) -> Proposal:
    """Return a proposal this viewer may see. Raises: ProposalNotFound."""
    found = None
    if "\x00" not in public_id:
        found = proposals_for(actor).filter(public_id=public_id).first()
    if found is None:
        raise ProposalNotFound(f"There is no proposal {public_id[:80]!r}.")
    return found


def newest_proposals(actor: Actor, agent: Agent, most: int = 5) -> list[Proposal]:
    """Return what an agent proposed last, as far as this viewer may see it."""
    rows = proposals_for(actor).filter(agent=agent)
    return list(rows.order_by("-created_at", "-public_id")[:most])


def operation_named(adapter: str, target: str) -> Operation:
    """Return the operation in use that an agent names. Raises: OperationUnknown."""
    place, dot, name = target.partition(".")
    rows = Operation.objects.select_related("connection").filter(
        connection__name=place,
        connection__disabled_at__isnull=True,
        name=name,
        retired_at__isnull=True,
    )
    found = rows.first() if dot and "\x00" not in target else None
    if found is None:
        raise OperationUnknown(
            f"No connection in use offers {target[:130]!r}; it is written connection.operation.",
            field="action.target",
        )
    if found.connection.adapter != adapter:
        raise OperationUnknown(
            f"{target} is done by {found.connection.adapter!r}, not by {adapter[:40]!r}.",
            field="action.adapter",
        )
    return found


def asked_under(agent: Agent, key: str) -> tuple[Proposal, str] | None:
    """Return what an agent asked under a key of its own, and the digest of that request."""
    with connection.cursor() as cursor:
        cursor.execute(_ASKED_UNDER, {"agent": agent.pk, "key": key})
        found = cursor.fetchone()
    return None if found is None else (Proposal.objects.get(pk=found[0]), str(found[1]))


def operation_now(operation: Operation) -> Operation:
    """Return an operation as it is at this moment: the same object, where nothing changed."""
    place = operation.connection
    was = (operation.digest, operation.retired_at, place.revision, place.changed_at)
    with connection.cursor() as cursor:
        cursor.execute(_OPERATION_NOW, [operation.pk])
        is_same = cursor.fetchone() == (*was, place.disabled_at)
    rows = Operation.objects.select_related("connection")
    return operation if is_same else rows.get(pk=operation.pk)


def line_of(agent: Agent, likeness: str) -> tuple[int, int | None]:
    """Return how many of an agent's actions are open, and which one of a likeness waits.

    What time has ended already takes no room and waits no more, swept or not.
    """
    with connection.cursor() as cursor:
        cursor.execute(_LINE, {"agent": agent.pk, "likeness": likeness})
        many, alike = cursor.fetchone()
    return many, alike


def last_decided(proposal: Proposal) -> Proposal | None:
    """Return the action of the same agent and operation that was approved last before this one."""
    same = Proposal.objects.filter(
        agent=proposal.agent_id,
        operation__connection=proposal.operation.connection_id,
        operation__name=proposal.operation.name,
        created_at__lte=proposal.created_at,
    )
    approved = same.filter(decided_how__in=("people", "policy")).exclude(state="denied")
    approved = approved.exclude(decided_entry="").exclude(pk=proposal.pk)
    return approved.order_by("-decided_at", "-id").first()


def review_of(proposal: Proposal) -> Review | None:
    """Return the review that a proposal waits, or waited, for."""
    found = Review.objects.filter(public_id=proposal.review_id) if proposal.review_id else None
    return None if found is None else found.select_related("requester").first()


def gates_of(proposal: Proposal) -> list[Gate]:
    """Return what the checks said of a proposal, in their order."""
    return list(Gate.objects.filter(proposal=proposal).order_by("created_at", "place"))


def entries_of(proposal: Proposal) -> list[SeenEntry]:
    """Return what is on record of a proposal and of its review, in order."""
    subjects = [
        str(proposal.ref),
        *([f"review:{proposal.review_id}"] if proposal.review_id else []),
    ]
    rows = Entry.objects.filter(agent_id=proposal.agent.public_id, subject__in=subjects)
    return [seen(row) for row in rows.order_by("recorded_at", "id")[:_MOST_ENTRIES]]


def may_withdraw(actor: Actor, proposal: Proposal) -> bool:
    """Say whether this viewer may take a proposal back now."""
    is_owner = actor.is_person(proposal.agent.owner) and actor.has(Role.EMPLOYEE)
    return is_owner and proposal.state in {Proposal.State.PROPOSED, Proposal.State.APPROVED}
