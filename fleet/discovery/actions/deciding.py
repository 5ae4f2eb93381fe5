"""What becomes of a finding: assigned, claimed, merged, blocked, dismissed, handed back.

Every step names the state it leaves, so of two who decide at once one wins. Reasons are what
people typed: they go into encrypted payloads, and the ledger's headers say only what was done.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any, Final

from django.db import transaction

from fleet.discovery.actions.holding import signs_of
from fleet.discovery.actions.reminding import tell_owner
from fleet.discovery.errors import FindingReasonMissing, FindingSettled
from fleet.discovery.models import Finding
from fleet.discovery.models.finding import OPEN
from fleet.discovery.queries.findings import DECIDING, require_deciding
from kernel import clock
from ledger.entries import Fact
from ledger.record import record
from ledger.verbs import Verb
from registry.actions.registration import register_agent
from registry.actors import Actor
from registry.errors.agents import NotYourAgent
from registry.manifest import manifest_of
from registry.models import Agent, Person
from registry.queries.agents import answers_for

DAYS: Final = 14
LONGEST: Final = 1000


@dataclass(frozen=True, slots=True)
class Draft:
    """What a claim registers: the finding's own words, as its owner left or changed them."""

    name: str
    title: str
    description: str
    owner: str
    backup_owner: str
    data_classes: tuple[str, ...] = ("internal",)
    route: str = "sandbox"


def draft_of(finding: Finding, owner: Person | None, **over: Any) -> Draft:
    """Return the registration that a finding suggests, with what its owner changed."""
    title = finding.title[:100]
    last = title.rstrip("/").removesuffix(".git").rpartition("/")[2] if "/" in title else title
    name = re.sub(r"[^a-z0-9]+", "-", last.lower()).strip("-")[:60].strip("-")
    models = ", ".join(finding.model_ids[:5])
    told = f"Found by {', '.join(finding.sources)}: {finding.get_kind_display()}"
    suggested = Draft(
        name=name if re.match(r"[a-z]", name) else f"found-{name}".strip("-")[:60],
        title=title,
        description=f"{told}, calling {models}." if models else f"{told}.",
        owner=owner.email if owner else "",
        backup_owner="",
    )
    return replace(suggested, **over)


@transaction.atomic
def assign_finding(
    finding: Finding, person: Person, *, actor: Actor, due_on: date | None = None
) -> Finding:
    """Ask somebody to answer for a finding by a day.

    Records: finding.assigned. Raises: RoleMissing, FindingSettled, FindingReasonMissing.
    """
    actor.require(*DECIDING)
    if not person.is_active:
        raise FindingReasonMissing(f"{person.email} has left; assign it to somebody else.")
    today = clock.now().date()
    due = due_on or today + timedelta(days=DAYS)
    if due < today:
        raise FindingReasonMissing("The deadline is over already.")
    moved = Finding.objects.filter(pk=finding.pk, state__in=OPEN).update(
        state=Finding.State.ASSIGNED,
        owner=person,
        assigned_at=clock.now(),
        due_on=due,
        reminded=None,
    )
    _require(moved)
    facts: dict[str, Fact] = {"owner": str(person.ref), "due_on": due.isoformat()}
    _recorded(Verb.FINDING_ASSIGNED, finding, actor, facts)
    tell_owner(finding)
    return finding


@transaction.atomic
def hand_back_finding(finding: Finding, *, actor: Actor, reason: str) -> Finding:
    """Say that somebody else must answer for it; it waits for whom to ask again.

    Records: finding.handed_back. Raises: NotYourFinding, FindingSettled, FindingReasonMissing.
    """
    require_deciding(actor, finding)
    why = _said(reason)
    moved = Finding.objects.filter(pk=finding.pk, state=Finding.State.ASSIGNED).update(
        state=Finding.State.NEW, owner=None, assigned_at=None, due_on=None, reminded=None
    )
    _require(moved)
    return _recorded(Verb.FINDING_HANDED_BACK, finding, actor, {}, why)


@transaction.atomic
def claim_finding(finding: Finding, draft: Draft, *, actor: Actor) -> Agent:
    """Register what was found as a draft of its owner's, to be submitted like any other.

    Records: finding.claimed, agent.registered. Raises: NotYourFinding, FindingSettled, and
    what registering raises.
    """
    require_deciding(actor, finding)
    manifest = manifest_of(_document(finding, draft))
    done = register_agent(manifest, actor=actor, source="api")
    _settle(finding, Finding.State.CLAIMED, actor, agent=done.agent)
    _recorded(Verb.FINDING_CLAIMED, finding, actor, {"agent": done.agent.public_id})
    return done.agent


@transaction.atomic
def merge_finding(finding: Finding, agent: Agent, *, actor: Actor, reason: str = "") -> Finding:
    """Say that a finding is an agent that is registered already.

    Records: finding.merged. Raises: NotYourFinding, NotYourAgent, FindingSettled.
    """
    require_deciding(actor, finding)
    if not (answers_for(actor, agent) or actor.has(*DECIDING)):
        raise NotYourAgent("Merge it into an agent that you answer for.")
    _settle(finding, Finding.State.MERGED, actor, agent=agent)
    return _recorded(Verb.FINDING_MERGED, finding, actor, {"agent": agent.public_id}, _cut(reason))


@transaction.atomic
def block_finding(finding: Finding, *, actor: Actor, reason: str) -> Finding:
    """Say that it was stopped, and how: the key revoked, the host refused, the bot removed.

    Seen again a day later, it comes back. Records: finding.blocked.
    Raises: RoleMissing, FindingSettled, FindingReasonMissing.
    """
    actor.require(*DECIDING)
    why = _said(reason)
    _settle(finding, Finding.State.BLOCKED, actor, reason=why)
    return _recorded(Verb.FINDING_BLOCKED, finding, actor, {}, why)


@transaction.atomic
def dismiss_finding(finding: Finding, *, actor: Actor, reason: str) -> Finding:
    """Say that it is nothing; evidence that differs brings it back.

    Records: finding.dismissed. Raises: RoleMissing, FindingSettled, FindingReasonMissing.
    """
    actor.require(*DECIDING)
    why = _said(reason)
    _settle(finding, Finding.State.DISMISSED, actor, reason=why)
    return _recorded(Verb.FINDING_DISMISSED, finding, actor, {}, why)


@transaction.atomic
def reopen_finding(finding: Finding, *, actor: Actor, reason: str) -> Finding:
    """Take a decision back; an agent that was registered by it stays as it is.

    Records: finding.reopened. Raises: RoleMissing, FindingSettled, FindingReasonMissing.
    """
    actor.require(*DECIDING)
    why = _said(reason)
    moved = Finding.objects.filter(pk=finding.pk).exclude(state__in=OPEN).update(
        state=Finding.State.NEW, owner=None, agent=None, assigned_at=None, due_on=None,
        reminded=None, settled_at=None, settled_by="", settled_signs="", reason="",
    )  # fmt: skip
    _require(moved, "It is open.")
    return _recorded(Verb.FINDING_REOPENED, finding, actor, {}, why)


def _settle(finding: Finding, state: str, actor: Actor, **changes: Any) -> None:
    moved = Finding.objects.filter(pk=finding.pk, state__in=OPEN).update(
        state=state,
        settled_at=clock.now(),
        settled_by=str(actor.ref),
        settled_signs=signs_of(finding),
        **changes,
    )
    _require(moved)


def _require(moved: int, why: str = "") -> None:
    if not moved:
        raise FindingSettled(why or "It was settled or handed on a moment ago; look again.")


def _recorded(
    verb: Verb, finding: Finding, actor: Actor, facts: dict[str, Fact], said: str = ""
) -> Finding:
    agent_id = str(facts.get("agent") or "")
    record(
        verb,
        finding.ref,
        actor=actor.ref,
        facts={"kind": finding.kind, "risk": finding.risk, **facts},
        agent_id=agent_id,
        payload=said.encode() if said else None,
    )
    finding.refresh_from_db()
    return finding


def _document(finding: Finding, draft: Draft) -> dict[str, Any]:
    return {
        "apiVersion": "unsprawl.dev/v1",
        "kind": "Agent",
        "metadata": {
            "name": draft.name,
            "title": draft.title,
            "description": draft.description,
            "annotations": {"unsprawl.dev/finding": finding.public_id},
        },
        "spec": {
            "version": "0.1.0",
            "owner": f"user:{draft.owner}",
            "backupOwner": f"user:{draft.backup_owner}",
            "dataClasses": list(draft.data_classes),
            "models": [{"alias": "default", "route": draft.route}],
        },
    }


def _said(reason: str) -> str:
    why = _cut(reason)
    if not why:
        raise FindingReasonMissing
    return why


def _cut(reason: str) -> str:
    return reason.replace("\x00", "").strip()[:LONGEST]
