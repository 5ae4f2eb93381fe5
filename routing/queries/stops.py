"""Reading stops: what is in force, what a name means, and how far a stop would reach.

Everybody who signs in may see that something is stopped, and why: those it hits will ask.
How many calls of others it would end is for those who answer for them or govern.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from django.db import connection
from django.db.models import Q, QuerySet

from kernel.errors import NotFound
from registry.actors import Actor
from registry.models import Agent, AgentKey, Person, Role
from registry.queries import agent_for
from registry.queries.people import person_for, team_for
from routing.errors import MayNotStop, StopNotFound, SubjectNotFound
from routing.models import EVERYTHING, Model, Route, Stop, Vendor
from routing.queries.routes import route_for
from routing.queries.vendors import model_for, vendor_for

# Plain SQL: asked for every action that is proposed.
_COVERED: Final = """
SELECT EXISTS (SELECT FROM routing_stop WHERE lifted_at IS NULL AND (
    scope = 'fleet' OR (scope, subject) IN (SELECT * FROM unnest(%s::text[], %s::text[]))
))
"""


@dataclass(frozen=True, slots=True)
class Subject:
    """What is to be stopped, found by its name."""

    scope: str
    id: str
    name: str
    agent: Agent | None = None  # of a key or an agent: whose affair it is
    person: Person | None = None  # of an owner
    aims: dict[str, str] = field(default_factory=dict)  # how a call's record names it

    @property
    def title(self) -> str:
        return "everything" if self.scope == "fleet" else f"{self.scope} {self.name}"

    def agents(self) -> QuerySet[Agent]:
        """Return the agents whose every call is covered; of a model, vendor or route, none."""
        of: dict[str, Q] = {
            "key": Q(pk=self.agent.pk if self.agent else None),
            "agent": Q(pk=self.agent.pk if self.agent else None),
            "owner": Q(owner__public_id=self.id),
            "team": Q(team__public_id=self.id),
            "fleet": Q(),
        }
        if self.scope not in of:
            return Agent.objects.none()
        return Agent.objects.filter(of[self.scope])


def subject_for(actor: Actor, scope: str, name: str) -> Subject:
    """Return what a scope and a name mean. Raises: SubjectNotFound."""
    find = _FIND.get(scope)
    if find is None:
        known = ", ".join(Stop.Scope.values)
        raise SubjectNotFound(f"A scope is one of {known}; not {scope[:40]!r}.", field="scope")
    try:
        return find(actor, name.strip())
    except SubjectNotFound:
        raise
    except NotFound as error:
        raise SubjectNotFound(error.detail, field="subject") from None


def subject_of(stop: Stop, actor: Actor) -> Subject:
    """Return what a stop covers; by what it noted itself when that is gone."""
    try:
        return subject_for(actor, stop.scope, stop.subject)
    except SubjectNotFound:
        return Subject(stop.scope, stop.subject, stop.subject_name)


def stops_for(actor: Actor) -> QuerySet[Stop]:
    """Return every stop, the newest first."""
    return Stop.objects.order_by("-placed_at", "-id")


def stop_for(actor: Actor, public_id: str) -> Stop:
    """Return a stop. Raises: StopNotFound."""
    found = stops_for(actor).filter(public_id=public_id[:80].replace("\0", "")).first()
    if found is None:
        raise StopNotFound(f"There is no stop {public_id[:80]!r}.")
    return found


def in_force(scope: str = "", subject: str = "") -> QuerySet[Stop]:
    """Return the stops in force: all, or the one of a subject."""
    rows = Stop.objects.filter(lifted_at__isnull=True).order_by("-placed_at", "-id")
    return rows.filter(scope=scope, subject=subject) if scope else rows


def is_stopped(agent: Agent, key: str) -> bool:
    """Say whether a stop in force covers what an agent does with a key of its own."""
    covers = {
        "agent": agent.public_id,
        "owner": agent.owner.public_id,
        "key": key,
        "team": agent.team.public_id if agent.team is not None else "",
    }
    with connection.cursor() as cursor:
        cursor.execute(_COVERED, [[*covers], [*covers.values()]])
        (found,) = cursor.fetchone()
    return bool(found)


def stops_on_agent(agent: Agent) -> list[Stop]:
    """Return the stops in force that cover every call of an agent."""
    covers = Q(scope="agent", subject=agent.public_id) | Q(scope="fleet")
    covers |= Q(scope="owner", subject=agent.owner.public_id)
    covers |= Q(scope="key", subject__in=AgentKey.objects.filter(agent=agent).values("public_id"))
    if agent.team is not None:
        covers |= Q(scope="team", subject=agent.team.public_id)
    return list(in_force().filter(covers))


def stops_on_vendor(vendor: Vendor) -> list[Stop]:
    """Return the stops in force that keep calls from a vendor, or from a model of it."""
    models = vendor.models.values("public_id")
    covers = Q(scope="vendor", subject=vendor.public_id) | Q(scope="fleet")
    return list(in_force().filter(covers | Q(scope="model", subject__in=models)))


def stops_on_route(route: Route) -> list[Stop]:
    """Return the stops in force that keep calls from a route."""
    return list(in_force().filter(Q(scope="route", subject=route.public_id) | Q(scope="fleet")))


def office_of(actor: Actor, subject: Subject) -> str:
    """Say in which office an actor may stop a subject; empty when in none."""
    if actor.ref.kind == "system":
        return "operator"
    for role in (Role.SECURITY, Role.PLATFORM):
        if actor.has(role):
            return role.value
    if subject.agent is not None and actor.has(Role.EMPLOYEE):
        owners = (subject.agent.owner, subject.agent.backup_owner)
        return "owner" if any(actor.is_person(each) for each in owners) else ""
    own = actor.has(Role.EMPLOYEE) and actor.is_person(subject.person)
    return "owner" if own else ""


def require_office(actor: Actor, subject: Subject) -> str:
    """Return the office of an actor towards a subject. Raises: MayNotStop."""
    office = office_of(actor, subject)
    if not office:
        raise MayNotStop(
            "Security and platform stop anything; owners their own agents and keys.",
            rule="routing.stops",
        )
    return office


def _key(actor: Actor, name: str) -> Subject:
    key = AgentKey.objects.filter(public_id=name).select_related("agent__owner").first()
    if key is None:
        raise SubjectNotFound(f"There is no key {name[:80]!r}; name it by its id, key_….")
    agent = agent_for(actor, key.agent.public_id)
    return Subject("key", key.public_id, key.public_id, agent=agent, aims={"key": key.public_id})


def _agent(actor: Actor, name: str) -> Subject:
    agent = agent_for(actor, name)
    return Subject("agent", agent.public_id, agent.name, agent=agent)


def _owner(actor: Actor, name: str) -> Subject:
    person = person_for(name)
    return Subject("owner", person.public_id, person.email, person=person)


def _team(actor: Actor, name: str) -> Subject:
    team = team_for(name)
    return Subject("team", team.public_id, team.slug)


def _model(actor: Actor, name: str) -> Subject:
    if name.startswith("mod_"):
        model = model_for(actor, name)
    else:
        vendor, _, wanted = name.partition("/")
        found = Model.objects.filter(vendor=vendor_for(actor, vendor), name=wanted).first()
        if found is None:
            raise SubjectNotFound(f"There is no model {name[:80]!r}; name it as vendor/model.")
        model = found
    aims = {"vendor": model.vendor.name, "model": model.name}
    return Subject("model", model.public_id, f"{model.vendor.name}/{model.name}", aims=aims)


def _vendor(actor: Actor, name: str) -> Subject:
    vendor = vendor_for(actor, name)
    return Subject("vendor", vendor.public_id, vendor.name, aims={"vendor": vendor.name})


def _route(actor: Actor, name: str) -> Subject:
    route = route_for(actor, name)
    return Subject("route", route.public_id, route.name, aims={"route": route.name})


def _fleet(actor: Actor, name: str) -> Subject:
    if name not in {"", EVERYTHING}:
        raise SubjectNotFound("The fleet has no name; leave the subject away.", field="subject")
    return Subject("fleet", EVERYTHING, "everything")


_FIND: Final[dict[str, Callable[[Actor, str], Subject]]] = {
    "key": _key, "agent": _agent, "owner": _owner, "team": _team,
    "model": _model, "vendor": _vendor, "route": _route, "fleet": _fleet,
}  # fmt: skip
