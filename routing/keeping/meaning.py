"""Who may decide what is kept, and what they mean by what they type.

A person's id is turned into its tag here and goes no further: nothing keeps it.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, time, timedelta
from typing import Any, Final

from django.conf import settings

from kernel.errors import NotFound
from ledger.retention.legal_holds import Covers
from ledger.subjects import SubjectTags
from registry.actors import Actor
from registry.models import Agent, Role
from registry.queries import agent_for
from routing.keeping.errors import MayNotKeep, NothingNamed
from routing.models import Run

LONGEST: Final = 2000
_TAG: Final = re.compile("sub_[0-9a-hjkmnp-tv-z]{26}")


def may_read(actor: Actor) -> bool:
    """Say whether an actor may see what is kept, held and erased."""
    return actor.ref.kind == "system" or actor.has(Role.SECURITY, Role.PLATFORM, Role.AUDITOR)


def require_reader(actor: Actor) -> None:
    """Raises: MayNotKeep."""
    if not may_read(actor):
        raise MayNotKeep(
            "Security, platform and auditors see what is kept and destroyed.",
            rule="routing.keeping_read",
        )


def may_decide(actor: Actor) -> bool:
    """Say whether an actor may set ages, hold and ask for erasure."""
    return actor.ref.kind == "system" or actor.has(Role.SECURITY)


def require_decider(actor: Actor) -> None:
    """Raises: MayNotKeep."""
    if not may_decide(actor):
        raise MayNotKeep("People with the security role do.", rule="routing.keeping_decide")


def tag_of(subject_id: str) -> str:
    """Return the tag of a data subject's id; a tag stands for itself.

    Raises: DataSubjectUnusable, SubjectKeyMissing.
    """
    named = subject_id.strip()
    if _TAG.fullmatch(named):
        return named
    return SubjectTags(settings.KEYS_DIR).tag(named)


def stated(reason: str, field: str = "reason") -> str:
    """Return why, as it goes on record. Raises: NothingNamed."""
    text = reason.strip()
    if not text or len(text) > LONGEST or "\x00" in text:
        raise NothingNamed(
            f"Say why in a sentence of at most {LONGEST} characters; it goes on record.",
            field=field,
        )
    return text


def agent_named(actor: Actor, name: str) -> tuple[str, str]:
    """Return an agent's id and name. Raises: NothingNamed."""
    try:
        agent = agent_for(actor, name.strip())
    except NotFound as error:
        raise NothingNamed(error.detail, field="subject") from None
    return agent.public_id, agent.name


def owners_of(scope: str, subject: str) -> frozenset[str]:
    """Return who owns the agent that a hold or an erasure is about; they do not decide."""
    agents = Agent.objects.none()
    if scope == "agent":
        agents = Agent.objects.filter(public_id=subject)
    elif scope == "run":
        said = Run.objects.filter(run_id=subject).values("agent_id")
        agents = Agent.objects.filter(public_id__in=said)
    pairs = agents.values_list("owner__public_id", "backup_owner__public_id")
    return frozenset(who for pair in pairs for who in pair if who)


def covers(
    actor: Actor, scope: str, subject: str = "", *, starts_on: Any = None, ends_on: Any = None
) -> Covers:
    """Return what a hold is to cover; days are whole, in UTC. Raises: NothingNamed."""
    if scope == "agent":
        return Covers(scope, *agent_named(actor, subject))
    if scope == "run":
        run = Run.objects.filter(run_id=subject.strip()).first()
        if run is None:
            raise NothingNamed("There is no run with this id (run_…).", field="subject")
        return Covers(scope, run.run_id)
    if scope == "data_subject":
        return Covers(scope, tag_of(subject))
    if scope == "everything":
        return Covers(scope)
    if scope != "period" or starts_on is None or ends_on is None or ends_on < starts_on:
        raise NothingNamed("A period has a first and a last day.", field="ends_on")
    first = datetime.combine(starts_on, time(), UTC)
    return Covers(
        scope, starts_at=first, ends_at=datetime.combine(ends_on, time(), UTC) + timedelta(days=1)
    )
