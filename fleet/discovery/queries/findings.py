"""Who may see which findings, and how long it takes until one has an owner.

Those who govern see all; everybody else sees what is assigned to them, what they claimed, and
what belongs to an agent they answer for.
"""

from __future__ import annotations

from typing import Final

from django.db.models import Q, QuerySet

from fleet.discovery.errors import FindingNotFound, NotYourFinding
from fleet.discovery.models import Evidence, Finding, NamedModel
from registry.actors import Actor
from registry.models import Agent, Role

SEEING: Final = (Role.SECURITY, Role.PLATFORM, Role.AUDITOR)
DECIDING: Final = (Role.SECURITY, Role.PLATFORM)


def findings_for(actor: Actor) -> QuerySet[Finding]:
    """Return the findings this viewer may see."""
    rows = Finding.objects.select_related("owner", "likely", "agent", "resembles")
    if actor.has(*SEEING):
        return rows
    if actor.person is None or not actor.has(Role.EMPLOYEE):
        return rows.none()
    mine = Agent.objects.filter(Q(owner=actor.person) | Q(backup_owner=actor.person))
    return rows.filter(Q(owner=actor.person) | Q(agent__in=mine))


def finding_for(actor: Actor, public_id: str) -> Finding:
    """Return one finding. Raises: FindingNotFound."""
    found = findings_for(actor).filter(public_id=public_id.replace("\x00", "")).first()
    if found is None:
        raise FindingNotFound(f"There is no finding {public_id[:80]!r}, or it is not yours.")
    return found


def evidence_of(finding: Finding) -> QuerySet[Evidence]:
    """Return what says so, the strongest first."""
    return Evidence.objects.filter(finding=finding).order_by("-confidence", "source", "pk")


def places_of(finding: Finding) -> QuerySet[NamedModel]:
    """Return the places that name models, those that break first."""
    rows = NamedModel.objects.filter(finding=finding)
    return rows.order_by("is_weak", "retires_on", "path", "line")


def may_decide(actor: Actor, finding: Finding) -> bool:
    """Say whether this actor may claim, merge or hand back the finding."""
    is_theirs = actor.has(Role.EMPLOYEE) and actor.is_person(finding.owner)
    return is_theirs or actor.has(*DECIDING)


def require_deciding(actor: Actor, finding: Finding) -> None:
    """Raises: NotYourFinding."""
    if not may_decide(actor, finding):
        raise NotYourFinding(
            "Only whom it is assigned to, security and platform decide on it.",
            rule="fleet.decides_finding",
        )


def findings_of(actor: Actor, agent: Agent) -> QuerySet[Finding]:
    """Return what was found to belong to an agent, as far as this viewer may see it."""
    return findings_for(actor).filter(agent=agent).order_by("-risk", "-public_id")
