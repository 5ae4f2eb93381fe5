"""Grants: asked for by those who answer for an agent, decided by security, ended by time or people.

A grant answers what policy asks about calls; it never outweighs a refusal.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from django.db import transaction

from approvals.actions.asking import Question, ask
from approvals.actions.texts import clean_text
from approvals.models import Review
from kernel import clock
from kernel.canonical import digest
from kernel.db import refused_as
from kernel.refs import new_id
from ledger.record import record
from ledger.verbs import Verb
from registry.actions.guards import require_answering, stated
from registry.actors import Actor
from registry.models import Agent, Role
from registry.queries.agents import agent_for
from rules.errors import GrantAsked, GrantNotGiven, GrantUnusable
from rules.models import Grant
from rules.ports import classes_by_vendor
from rules.queries.grants import grant_for

LONGEST: Final = timedelta(days=366)


@dataclass(frozen=True, slots=True)
class Wish:
    """Which data is to go where, until when."""

    agent: str
    vendor: str
    data_class: str
    until: datetime


@transaction.atomic
def ask_grant(wish: Wish, *, actor: Actor, reason: str) -> Grant:
    """Ask security to let an agent send a class of data to a vendor.

    Records: grant.asked, review.opened. Raises: AgentNotFound, NotYourAgent, GrantUnusable,
    GrantAsked, ReasonMissing.
    """
    agent = agent_for(actor, wish.agent)
    require_answering(actor, agent)
    why = clean_text(stated(reason), "reason")
    if actor.person is None:
        raise GrantUnusable("A person asks, with their own token; another person decides.")
    _check(agent, wish)
    already = GrantAsked("The same was asked for and waits for an answer.")
    with refused_as({"rules_grant_asked_once": already}):
        grant = Grant.objects.create(
            public_id=new_id("grt"),
            agent=agent,
            vendor=wish.vendor,
            data_class=wish.data_class,
            until=wish.until,
            asked_by=str(actor.ref),
            asked_at=clock.now(),
        )
    review = ask(
        Question(
            kind=Review.Kind.GRANT.value,
            subject=grant.ref,
            subject_name=agent.name,
            digest=grant_digest(grant),
            text=f"May {agent.name} send {wish.data_class} data to {wish.vendor}?",
            requester=actor.person,
            excluded=frozenset(answering_for(agent)),
            evidence={
                "agent": agent.name,
                "vendor": wish.vendor,
                "data_class": wish.data_class,
                "until": wish.until.isoformat(),
            },
            justification=why,
        ),
        actor=actor,
    )
    grant.review_id = review.public_id
    grant.save(update_fields=["review_id"])
    _record(Verb.GRANT_ASKED, grant, actor)
    return grant


@transaction.atomic
def give_grant(grant: Grant, *, actor: Actor) -> None:
    """Let it be so from now on; called as its review is approved.

    Records: grant.given.
    """
    grant.state, grant.given_at = Grant.State.GIVEN, clock.now()
    grant.save(update_fields=["state", "given_at"])
    _record(Verb.GRANT_GIVEN, grant, actor)


@transaction.atomic
def refuse_grant(grant: Grant, *, actor: Actor) -> None:
    """Close what nobody granted; called as its review ends without a yes.

    Records: grant.refused.
    """
    grant.state, grant.ended_at = Grant.State.REFUSED, clock.now()
    grant.ended_by = str(actor.ref)
    grant.save(update_fields=["state", "ended_at", "ended_by"])
    _record(Verb.GRANT_REFUSED, grant, actor)


@transaction.atomic
def revoke_grant(public_id: str, *, actor: Actor, reason: str) -> Grant:
    """End a grant before its time: security, or those who answer for the agent.

    Records: grant.revoked. Raises: GrantNotFound, NotYourAgent, GrantNotGiven, ReasonMissing.
    """
    seen = grant_for(actor, public_id)
    if not actor.has(Role.SECURITY):
        require_answering(actor, seen.agent)
    why = clean_text(stated(reason), "reason")
    at = clock.now()
    ended = Grant.objects.filter(pk=seen.pk, state=Grant.State.GIVEN, until__gt=at).update(
        state=Grant.State.REVOKED, ended_at=at, ended_by=str(actor.ref)
    )
    if not ended:
        raise GrantNotGiven("Only a grant in force can be revoked.")
    seen.refresh_from_db()
    _record(Verb.GRANT_REVOKED, seen, actor, why)
    return seen


def answering_for(agent: Agent) -> set[str]:
    """Return who answers for an agent, and so does not decide what it may send."""
    people = (agent.owner, agent.backup_owner)
    return {person.public_id for person in people if person is not None}


def grant_digest(grant: Grant) -> str:
    """Return what an answer is to."""
    return digest(
        {
            "agent": grant.agent.public_id,
            "vendor": grant.vendor,
            "data_class": grant.data_class,
            "until": grant.until.isoformat(),
            "grant": grant.public_id,
        }
    )


def _check(agent: Agent, wish: Wish) -> None:
    if wish.data_class not in agent.data_classes:
        raise GrantUnusable(
            f"{agent.name} does not declare {wish.data_class[:60]} data.", field="data_class"
        )
    receive = classes_by_vendor()
    if wish.vendor not in receive:
        raise GrantUnusable("There is no vendor of that name.", field="vendor")
    if wish.data_class not in receive[wish.vendor]:
        raise GrantUnusable(
            f"{wish.vendor} may not receive {wish.data_class} data at all; the platform team"
            " decides that on the vendor's page.",
            field="vendor",
        )
    now = clock.now()
    if not now < wish.until <= now + LONGEST:
        raise GrantUnusable("The end lies ahead, and within a year.", field="until")


def _record(verb: Verb, grant: Grant, actor: Actor, reason: str = "") -> None:
    facts = {
        "vendor": grant.vendor,
        "data_class": grant.data_class,
        "until": grant.until.isoformat(),
        "review": grant.review_id,
    }
    record(
        verb,
        grant.ref,
        actor=actor.ref,
        facts=facts,
        agent_id=grant.agent.public_id,
        payload=reason.encode() or None,
    )
