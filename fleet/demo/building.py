"""Building the demo company through the same actions that everybody uses, and removing it.

Nothing is written past an action but the day on which things are said to have happened.
Every agent is marked as demo data, and a database with agents of somebody else is refused.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from django.db import transaction

from approvals.actions import decide_review, request_promotion, submit_agent
from effects.actions.forgetting import forget_proposals
from fleet.demo.clearing import clear_parts
from fleet.demo.company import (
    AUDITOR,
    BUDGETS,
    DOMAIN,
    PEOPLE,
    PLATFORM,
    ROUTES,
    SECURITY,
    STOPPED,
    TEAMS,
    VENDORS,
    Plan,
    plans,
)
from fleet.demo.uncounting import forget_counted, forget_told
from fleet.retiring.actions.forgetting import forget_ends
from fleet.retiring.actions.planning import Plan as End
from fleet.retiring.actions.planning import plan_retirement
from kernel import clock
from kernel.errors import Conflict
from kernel.refs import Ref
from ledger.entries import Fact
from ledger.queries import entries_of_subject
from ledger.record import record
from ledger.verbs import Verb
from registry.actions.agents import (
    deprecate_agent,
    register_agent,
    remove_demo_agent,
    retire_agent,
    suspend_agent,
)
from registry.actions.keys import issue_key
from registry.actions.people import add_person, add_team
from registry.actors import Actor
from registry.manifest.reading import manifest_of
from registry.models import Agent, Person, Role, Team
from routing.actions.budgets import set_budget
from routing.actions.models import ModelDraft, add_models
from routing.actions.route_targets import TargetDraft
from routing.actions.routes import put_route
from routing.actions.stops import place_stop
from routing.actions.vendors import VendorDraft, connect_vendor
from routing.models import Budget, Stop, Vendor

COMPANY: Final = Ref("company", "demo")
_OLDEST_DAYS: Final = 200
_JUSTIFIED: Final = "It looks alike and does another step of the work; we compared them."


class NotADemo(Conflict):
    """Raised when the database holds agents that are not demo data."""

    code = "fleet.not_a_demo"
    title = "There are real agents here; the demo company stays out"


@dataclass(frozen=True, slots=True)
class Cast:
    """The people of the company by what they are needed for."""

    owners: dict[str, list[Person]]
    guard: Person
    operator: Actor


def is_loaded() -> bool:
    """Say whether the demo company is here, whole."""
    entries = entries_of_subject(COMPANY).order_by("-id")
    return entries.values_list("verb", flat=True).first() == Verb.DEMO_LOADED


def build_company(*, actor: Actor, say: Callable[[str], None]) -> list[tuple[Plan, str]]:
    """Build the company; return each callable agent's plan with the public id of its key.

    What a load that was cut off has left is taken out first.
    Records: what every action records. Raises: NotADemo.
    """
    if Agent.objects.filter(is_demo=False).exists():
        raise NotADemo("Use a data directory of its own for the demo: make demo.")
    if Agent.objects.exists():
        say(f"{remove_company(actor=actor)} agents of an unfinished load removed")
    say("teams and people")
    cast = _people(actor)
    say("vendors and routes")
    _routes(actor)
    agents = plans()
    keys = []
    for number, plan in enumerate(agents, start=1):
        if number % 10 == 0 or number == len(agents):
            say(f"agents, {number} of {len(agents)}")
        if key := _agent(plan, number, cast):
            keys.append((plan, key))
    return keys


@transaction.atomic
def finish_company(*, actor: Actor, calls: int) -> None:
    """Say that the company is whole: until then another load begins anew.

    Records: demo.loaded.
    """
    facts: dict[str, Fact] = {"agents": Agent.objects.filter(is_demo=True).count(), "calls": calls}
    if not Budget.objects.filter(ended_at=None, source=Budget.Source.PEOPLE).exists():
        for draft in BUDGETS:
            set_budget(draft, actor=actor)
    if not Stop.objects.exists():
        scope, subject, reason = STOPPED
        place_stop(scope, subject, actor=actor, reason=reason)
    record(Verb.DEMO_LOADED, COMPANY, actor=actor.ref, facts=facts)


def guard_of() -> Actor:
    """Return the person of security who decides in the demo company."""
    guards = Person.objects.filter(roles__contains=["security"], deactivated_at=None)
    return Actor.of(guards.order_by("id")[0])


def remove_company(*, actor: Actor) -> int:
    """Take every demo agent out, and all that was counted or told of it.

    The ledger keeps what it recorded; people, vendors and routes stay, for whoever goes on here.

    Records: proposal.withdrawn for what waits, agent.removed for each, demo.removed.
    """
    agents = list(Agent.objects.filter(is_demo=True))
    clear_parts(agents, actor=actor)
    names = [agent.name for agent in agents]
    for agent in agents:
        with transaction.atomic():
            forget_proposals(agent, actor=actor)
            forget_ends(agent, actor=actor)
            remove_demo_agent(agent.name, actor=actor)
    with transaction.atomic():
        forget_counted([agent.public_id for agent in agents])
        forget_told()
        record(Verb.DEMO_REMOVED, COMPANY, actor=actor.ref, facts={"agents": len(names)})
    return len(names)


def _people(actor: Actor) -> Cast:
    owners: dict[str, list[Person]] = {}
    for slug, name in TEAMS.items():
        team = Team.objects.filter(name=name).first() or add_team(name, actor=actor)
        owners[slug] = [_person(full, team, (), actor) for full in PEOPLE[slug]]
    guards = [_person(name, None, (Role.SECURITY.value,), actor) for name in SECURITY]
    for name in PLATFORM:
        _person(name, None, (Role.PLATFORM.value,), actor)
    for name in AUDITOR:
        _person(name, None, (Role.AUDITOR.value,), actor)
    return Cast(owners, guards[0], actor)


def _person(name: str, team: Team | None, roles: tuple[str, ...], actor: Actor) -> Person:
    email = f"{name.lower().replace(' ', '.')}@{DOMAIN}"
    known = Person.objects.filter(email=email).first()
    return known or add_person(email, actor=actor, name=name, team=team, roles=roles)


def _routes(actor: Actor) -> None:
    known = set(Vendor.objects.values_list("name", flat=True))
    for name, (title, address, classes, models) in VENDORS.items():
        if name in known:
            continue
        draft = VendorDraft(
            name=name,
            dialect="openai",
            base_url=address,
            title=title,
            platform=name,
            data_classes=list(classes),
        )
        connect_vendor(draft, actor=actor)
        add_models(name, [ModelDraft(name=model) for model in models], actor=actor)
    for name, (title, targets) in ROUTES.items():
        drafts = [
            TargetDraft(vendor, model, priority=number)
            for number, (vendor, model) in enumerate(targets)
        ]
        put_route(name, drafts, actor=actor, title=title)


@transaction.atomic  # one commit for a dozen actions
def _agent(plan: Plan, number: int, cast: Cast) -> str:
    """Take one agent as far as its plan says; return its key's public id, if it has one."""
    people = cast.owners[plan.team]
    owner, backup = people[plan.owner], people[(plan.owner + 1) % len(people)]
    mine, guard = Actor.of(owner), Actor.of(cast.guard)
    manifest = manifest_of(_manifest(plan, owner, backup))
    agent = register_agent(manifest, actor=mine, source="api", is_demo=True).agent
    age = timedelta(days=_OLDEST_DAYS - 2 * number)
    if plan.stage == "draft":
        return ""
    review = submit_agent(plan.name, actor=mine, justification=_JUSTIFIED)
    if plan.stage == "in_review":
        return ""
    _approve(review.public_id, guard)
    key = issue_key(plan.name, actor=mine, expires_in_days=20 + 4 * number, label="production")
    if plan.stage != "soft_launch":
        asked = request_promotion(plan.name, actor=mine, justification="Three quiet weeks.")
        _approve(asked.public_id, guard)
    if step := _LAST_STEPS.get(plan.stage):
        step(plan.name, mine, cast)
    began = clock.now() - age
    # The past of a demo is told, not lived: these two days are the only ones set by hand.
    Agent.objects.filter(pk=agent.pk).update(created_at=began, stage_changed_at=began + age / 3)
    return key.row.public_id


def _approve(review_id: str, guard: Actor) -> None:
    decide_review(review_id, actor=guard, decision="approve", comment="Checked with the team.")


def _suspend(name: str, owner: Actor, cast: Cast) -> None:
    guard = Actor.of(cast.guard)
    suspend_agent(name, actor=guard, reason="Sent reviews to a vendor that may not see them.")


def _deprecate(name: str, owner: Actor, cast: Cast) -> None:
    successor = Agent.objects.filter(name=_SUCCESSORS.get(name, "")).first()
    if successor is None:
        deprecate_agent(name, actor=owner, reason="Another agent does this better.")
        return
    plan = End(drains_at=clock.now() + timedelta(days=12), successor=successor)
    plan_retirement(name, plan, actor=owner, reason="Another agent does this better.")


def _retire(name: str, owner: Actor, cast: Cast) -> None:
    _deprecate(name, owner, cast)
    retire_agent(name, actor=owner, reason="Nobody calls it any more.")


_SUCCESSORS: Final = {"ticket-sorter": "ticket-triage"}
_LAST_STEPS: Final = {"suspended": _suspend, "deprecated": _deprecate, "retired": _retire}


def _manifest(plan: Plan, owner: Person, backup: Person) -> dict[str, Any]:
    document: dict[str, Any] = {
        "apiVersion": "unsprawl.dev/v1",
        "kind": "Agent",
        "metadata": {
            "name": plan.name,
            "title": plan.title,
            "description": plan.description,
            "tags": [plan.team, "demo"],
        },
        "spec": {
            "version": "1.0.0",
            "owner": f"user:{owner.email}",
            "backupOwner": f"user:{backup.email}",
            "team": owner.team.slug if owner.team else None,
            "purpose": plan.description,
            "onCall": f"#{plan.team}-agents",
            "dataClasses": list(plan.data_classes),
            "models": [{"alias": "default", "route": plan.route}],
            "steps": [
                {"name": "collect", "kind": "deterministic"},
                {"name": plan.route, "kind": "model"},
                {"name": "file", "kind": "deterministic"},
            ],
        },
    }
    if plan.tools:
        document["spec"]["tools"] = [{"name": tool} for tool in plan.tools]
    return document
