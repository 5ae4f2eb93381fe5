"""Keys that agents hold: issued, rotated with overlap, revoked. The value is shown once.

Only a keyed hash is stored. Whoever issues holds the agent's row, so a key cannot slip
past a kill or a retirement that happens at the same moment.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from django.db import transaction
from django.db.models import QuerySet

from kernel import clock, keys
from kernel.refs import Ref, new_id
from ledger.entries import Fact
from ledger.record import record
from ledger.verbs import Verb
from registry.actions.guards import hold, require_answering, require_stopping, stated
from registry.actors import Actor
from registry.errors.agents import (
    AgentNotCallable,
    KeyNotActive,
    LifetimeOutOfRange,
    OverlapOutOfRange,
    TooManyKeys,
)
from registry.models import Agent, AgentKey
from registry.pepper import pepper_ring
from registry.queries import agents as queries

MOST_ACTIVE: Final = 10
MOST_WITH_OVERLAP: Final = 20
LONGEST_DAYS: Final = 365
USUAL_DAYS: Final = 90
LONGEST_OVERLAP_HOURS: Final = 7 * 24
LONGEST_LABEL: Final = 100

_WHY_NOT: Final = {
    Agent.Stage.DRAFT: "it is a draft; submit it for review first",
    Agent.Stage.IN_REVIEW: "it is in review; keys are issued once it is approved",
    Agent.Stage.RETIRED: "it is retired",
}


@dataclass(frozen=True, slots=True)
class IssuedKey:
    """A new key; ``text`` exists here and in the one answer to its holder."""

    row: AgentKey
    text: str = field(repr=False)


@transaction.atomic
def issue_key(
    name: str, *, actor: Actor, expires_in_days: int = USUAL_DAYS, label: str = ""
) -> IssuedKey:
    """Make a key for an agent that may make calls.

    Records: key.issued.
    Raises: AgentNotFound, NotYourAgent, LifetimeOutOfRange, AgentNotCallable, TooManyKeys,
    PepperMissing.
    """
    agent = hold(queries.agent_for(actor, name))
    require_answering(actor, agent)
    _check_days(expires_in_days)
    _check_callable(agent)
    now = clock.now()
    if active_keys(agent, now) >= MOST_ACTIVE:
        raise TooManyKeys(
            f"{agent.name} has {MOST_ACTIVE} active keys; revoke one first.", most=MOST_ACTIVE
        )
    issued = _make(agent, now + timedelta(days=expires_in_days), actor=actor, label=label)
    _record(Verb.KEY_ISSUED, agent, issued.row, actor, _expiry(issued.row))
    return issued


@transaction.atomic
def rotate_key(
    name: str, key_public_id: str, *, actor: Actor, overlap_hours: int = 24
) -> IssuedKey:
    """Make a successor for a key; the old one works on for the overlap, then no more.

    The successor has the same lifetime as the old key was given. A key is rotated once.

    Records: key.rotated.
    Raises: AgentNotFound, NotYourAgent, KeyNotFound, KeyNotActive, OverlapOutOfRange,
    AgentNotCallable, TooManyKeys, PepperMissing.
    """
    agent = hold(queries.agent_for(actor, name))
    require_answering(actor, agent)
    if not 0 <= overlap_hours <= LONGEST_OVERLAP_HOURS:
        raise OverlapOutOfRange(
            f"The overlap is 0 to {LONGEST_OVERLAP_HOURS} hours.", field="overlap_hours"
        )
    _check_callable(agent)
    old, now = queries.key_of(agent, key_public_id), clock.now()
    if old.revoked_at is not None or old.expires_at <= now or old.rotated_to_id is not None:
        raise KeyNotActive("Only a key that is active and was not rotated yet can be rotated.")
    if _valid(agent, now).count() >= MOST_WITH_OVERLAP:
        raise TooManyKeys(
            f"{agent.name} has {MOST_WITH_OVERLAP} keys that still work; wait for one to expire"
            " or revoke one.",
            most=MOST_WITH_OVERLAP,
        )
    lifetime = max(old.expires_at - old.created_at, timedelta(days=1))
    issued = _make(agent, now + lifetime, actor=actor, label=old.name)
    old.rotated_to = issued.row
    old.expires_at = min(old.expires_at, now + timedelta(hours=overlap_hours))
    old.save(update_fields=["rotated_to", "expires_at"])
    facts = _expiry(issued.row) | {
        "successor": issued.row.public_id,
        "old_expires_at": clock.stamp(old.expires_at),
    }
    _record(Verb.KEY_ROTATED, agent, old, actor, facts)
    return issued


@transaction.atomic
def revoke_key(name: str, key_public_id: str, *, actor: Actor, reason: str = "") -> AgentKey:
    """Make a key worthless at once; revoking it again changes nothing and records nothing.

    Records: key.revoked. Raises: AgentNotFound, NotYourAgent, KeyNotFound.
    """
    agent = queries.agent_for(actor, name)
    require_stopping(actor, agent)
    why = stated(reason) if reason.strip() else ""
    key = queries.key_of(agent, key_public_id)
    if _revoke(key, actor=actor, reason=why):
        _record(Verb.KEY_REVOKED, agent, key, actor, {"reason": why})
    key.refresh_from_db()
    return key


def revoke_all_keys(agent: Agent, *, actor: Actor, reason: str) -> list[str]:
    """Revoke every key of an agent that is being stopped, inside that step's transaction.

    Records: key.revoked. Answers the public ids of those that were still valid or could be.
    """
    revoked = []
    for key in AgentKey.objects.filter(agent=agent, revoked_at__isnull=True).order_by("id"):
        if _revoke(key, actor=actor, reason=reason):
            _record(Verb.KEY_REVOKED, agent, key, actor, {"reason": reason})
            revoked.append(key.public_id)
    return revoked


def active_keys(agent: Agent, now: datetime) -> int:
    """Count the keys that work and have no successor."""
    return _valid(agent, now).filter(rotated_to__isnull=True).count()


def _valid(agent: Agent, now: datetime) -> QuerySet[AgentKey]:
    return AgentKey.objects.filter(agent=agent, revoked_at__isnull=True, expires_at__gt=now)


def _revoke(key: AgentKey, *, actor: Actor, reason: str) -> bool:
    moved = AgentKey.objects.filter(pk=key.pk, revoked_at__isnull=True).update(
        revoked_at=clock.now(), revoked_by=str(actor.ref), revoked_reason=reason
    )
    return bool(moved)


def _make(agent: Agent, expires_at: datetime, *, actor: Actor, label: str) -> IssuedKey:
    ring = pepper_ring()
    credential = keys.issue(keys.AGENT_PREFIX)
    row = AgentKey.objects.create(
        public_id=new_id("key"),
        agent=agent,
        key_id=credential.key_id,
        pepper_id=ring.active,
        digest=ring.hash(credential.text),
        name=label.strip()[:LONGEST_LABEL],
        created_by=str(actor.ref),
        created_at=clock.now(),
        expires_at=expires_at,
    )
    return IssuedKey(row, credential.text)


def _check_days(days: int) -> None:
    if not 1 <= days <= LONGEST_DAYS:
        raise LifetimeOutOfRange(f"A key lives 1 to {LONGEST_DAYS} days.", field="expires_in_days")


def _check_callable(agent: Agent) -> None:
    if agent.is_callable:
        return
    why = _WHY_NOT.get(Agent.Stage(agent.stage)) or (
        "it was killed" if agent.killed_at is not None else "it is suspended; resume it first"
    )
    raise AgentNotCallable(
        f"{agent.name} gets no key: {why}.", stage=agent.stage, suspended=agent.is_suspended
    )


def _expiry(key: AgentKey) -> dict[str, Fact]:
    return {"key": key.public_id, "key_id": key.key_id, "expires_at": clock.stamp(key.expires_at)}


def _record(verb: Verb, agent: Agent, key: AgentKey, actor: Actor, facts: dict[str, Fact]) -> None:
    record(
        verb,
        Ref("key", key.public_id),
        actor=actor.ref,
        agent_id=agent.public_id,
        facts={"key": key.public_id} | facts,
    )
