"""How an agent is watched, as somebody sets it: a check, a probe secret, a runbook; mutes.

Whoever answers for the agent sets it. Plain http and addresses inside are for the platform role,
and hold for the address they were allowed for.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from django.db import transaction

from credentials.egress import GuardedClient
from fleet.health.actions.following import SET_UP, set_up
from fleet.health.actions.restating import restate
from fleet.health.errors import CheckNotUsable, MuteNotUsable
from fleet.health.expected import LONGEST_INTERVAL, SHORTEST, Expected, grace_of
from fleet.health.models import AgentHealth, Check, Mute
from fleet.health.probing.challenge import secret_text
from fleet.health.queries.runbooks import as_link
from fleet.health.schedules import check_schedule
from kernel import clock
from kernel.refs import new_id
from ledger.entries import Fact
from ledger.record import record
from ledger.verbs import Verb
from registry.actors import Actor
from registry.errors.agents import NotYourAgent
from registry.models import Agent, Role, Team
from registry.pepper import pepper_ring
from registry.queries import answers_for

LONGEST_REASON: Final = 300
LONGEST_MUTE: Final = timedelta(days=30)
_FRESH: Final = ("status", "since", "reason", "cause", "recent", "misses", "origin", *SET_UP)


@transaction.atomic
def set_check(
    agent: Agent, wanted: Expected, *, actor: Actor, allow_private: bool = False
) -> Check:
    """Watch an agent in a way of one's own; it stays whatever the manifest says.

    Records: check.changed. Raises: NotYourAgent, CheckNotUsable, ScheduleInvalid, AddressRefused.
    """
    require_answerable(actor, agent)
    private = allow_private and actor.has(Role.PLATFORM)
    wanted = _checked(wanted, allow_private=private)
    now = clock.now()
    AgentHealth.objects.bulk_create([AgentHealth(agent=agent, since=now)], ignore_conflicts=True)
    fresh = Check(
        agent=agent, source=wanted.source, kind=wanted.kind, origin=Check.Origin.PORTAL, since=now
    )
    Check.objects.bulk_create([fresh], ignore_conflicts=True)
    check = Check.objects.select_for_update().get(agent=agent, source=wanted.source)
    set_up(check, wanted, now)
    check.allow_private, check.origin = private, Check.Origin.PORTAL
    check.status, check.since, check.recent, check.misses = "unknown", now, "", 0
    check.reason, check.cause = "It was set up anew and was not heard of since.", ""
    check.due_at = check.due_at if agent.is_callable else None
    check.save(update_fields=list(_FRESH))
    restate([agent.pk])
    facts: dict[str, Fact] = {
        "source": wanted.source, "kind": wanted.kind, "host": wanted.host, "cron": wanted.cron,
        "zone": wanted.zone, "interval_seconds": wanted.interval_seconds,
        "allow_private": private,
    }  # fmt: skip
    record(Verb.CHECK_CHANGED, agent.ref, actor=actor.ref, facts=facts, agent_id=agent.public_id)
    return check


@transaction.atomic
def make_probe_secret(agent: Agent, *, actor: Actor) -> str:
    """Give an agent a new secret to answer probes with, and return it; the one before ends.

    Records: probe_secret.made. Raises: NotYourAgent, CheckNotUsable, PepperMissing.
    """
    require_answerable(actor, agent)
    check = Check.objects.select_for_update().filter(agent=agent, source="probe").first()
    if check is None:
        raise CheckNotUsable("The agent has no probe; say where it answers first.")
    ring = pepper_ring()
    check.secret_number, check.secret_pepper = check.secret_number + 1, ring.active
    check.is_proven = False
    check.save(update_fields=["secret_number", "secret_pepper", "is_proven"])
    facts: dict[str, Fact] = {"number": check.secret_number}
    record(
        Verb.PROBE_SECRET_MADE, agent.ref, actor=actor.ref, facts=facts, agent_id=agent.public_id
    )
    return secret_text(ring, agent.public_id, check.secret_number, check.secret_pepper)


@transaction.atomic
def set_runbook(agent: Agent, address: str, *, actor: Actor) -> None:
    """Say where it is written what to do when the agent fails; empty takes the manifest's.

    Records: check.changed. Raises: NotYourAgent, CheckNotUsable.
    """
    require_answerable(actor, agent)
    if address and not as_link(address):
        raise CheckNotUsable("A runbook is a web address that begins with https:// or http://.")
    AgentHealth.objects.bulk_create(
        [AgentHealth(agent=agent, since=clock.now())], ignore_conflicts=True
    )
    AgentHealth.objects.filter(agent=agent).update(runbook=address)
    facts: dict[str, Fact] = {"runbook": address[:500]}
    record(Verb.CHECK_CHANGED, agent.ref, actor=actor.ref, facts=facts, agent_id=agent.public_id)


@transaction.atomic
def set_mute(
    *,
    starts_at: datetime,
    ends_at: datetime,
    actor: Actor,
    agent: Agent | None = None,
    team: Team | None = None,
    reason: str = "",
) -> Mute:
    """Open no incident and tell nobody for a while; the status goes on being shown.

    Why is for those who see the mute, and lies in the entry's payload. A team's is for its people
    and the platform.
    Records: mute.set. Raises: NotYourAgent, MuteNotUsable, RoleMissing.
    """
    if (agent is None) == (team is None):
        raise MuteNotUsable("Name an agent or a team.")
    if agent is not None:
        require_answerable(actor, agent)
    elif not _is_of(actor, getattr(team, "pk", None)):
        actor.require(Role.PLATFORM)
    if not starts_at < ends_at <= starts_at + LONGEST_MUTE or ends_at <= clock.now():
        raise MuteNotUsable("A mute ends after it begins, in the future, within 30 days.")
    mute = Mute.objects.create(
        public_id=new_id("mut"), agent=agent, team=team, starts_at=starts_at, ends_at=ends_at,
        reason=reason.strip()[:LONGEST_REASON], set_by=str(actor.ref), set_at=clock.now(),
    )  # fmt: skip
    facts: dict[str, Fact] = {
        "from": starts_at.isoformat(), "until": ends_at.isoformat(),
        "team": team.slug if team is not None else "",
    }  # fmt: skip
    named = agent.public_id if agent is not None else ""
    why = mute.reason.encode() or None
    record(Verb.MUTE_SET, mute.ref, actor=actor.ref, facts=facts, agent_id=named, payload=why)
    return mute


@transaction.atomic
def end_mute(mute: Mute, *, actor: Actor) -> None:
    """End a mute before its time.

    Records: mute.ended. Raises: NotYourAgent, RoleMissing.
    """
    if mute.agent is not None:
        require_answerable(actor, mute.agent)
    elif not _is_of(actor, mute.team_id):
        actor.require(Role.PLATFORM)
    now = clock.now()
    if Mute.objects.filter(pk=mute.pk, ended_at__isnull=True, ends_at__gt=now).update(ended_at=now):
        named = mute.agent.public_id if mute.agent is not None else ""
        record(Verb.MUTE_ENDED, mute.ref, actor=actor.ref, agent_id=named)


def require_answerable(actor: Actor, agent: Agent) -> None:
    """Refuse whoever does not answer for an agent. Raises: NotYourAgent."""
    if not answers_for(actor, agent):
        raise NotYourAgent("Only the owner, the backup owner and the platform set this.")


def _is_of(actor: Actor, team: int | None) -> bool:
    """Say whether somebody acts as one of a team; a token without `employee` does not."""
    return actor.person is not None and actor.has(Role.EMPLOYEE) and actor.person.team_id == team


def _checked(wanted: Expected, *, allow_private: bool) -> Expected:
    if wanted.cron:
        check_schedule(wanted.cron, wanted.zone)
    elif not SHORTEST <= wanted.interval_seconds <= LONGEST_INTERVAL:
        raise CheckNotUsable("An interval is from 10 seconds to 31 days.")
    if wanted.source == "probe":
        GuardedClient(allow_private=allow_private).check(wanted.url)
    grace = wanted.grace_seconds or grace_of(wanted.interval_seconds or 3600)
    if grace > LONGEST_INTERVAL:
        raise CheckNotUsable("A grace is at most 31 days.")
    zone = wanted.zone if wanted.cron else ""
    return Expected(
        wanted.source, wanted.kind, wanted.url, wanted.interval_seconds, grace, wanted.cron, zone
    )
