"""The directory as its pages show it: people and teams with how much each answers for."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.db.models import Count, F, OuterRef, Q, QuerySet, Subquery, TextField, Value
from django.db.models.functions import Coalesce, NullIf

from registry.actors import Actor
from registry.models import Agent, Person, Team
from registry.queries.people import people_for, teams_for


def directory_for(actor: Actor) -> QuerySet[Person]:
    """Return the people this viewer may see, each with a name to sort by and their agents."""
    owned = (
        Agent.objects.filter(owner=OuterRef("pk"), retired_at__isnull=True)
        .order_by()
        .values("owner")
        .annotate(number=Count("pk"))
    )
    return people_for(actor).annotate(
        shown_name=Coalesce(NullIf("name", Value("")), F("email"), output_field=TextField()),
        agent_count=Coalesce(Subquery(owned.values("number")), 0),
    )


def agents_of(person: Person) -> QuerySet[Agent]:
    """Return the agents somebody owns or backs up, those in use first."""
    theirs = Agent.objects.filter(Q(owner=person) | Q(backup_owner=person))
    return theirs.select_related("owner", "team").order_by(
        F("retired_at").asc(nulls_first=True), "name"
    )


def teams_with_counts(actor: Actor) -> QuerySet[Team]:
    """Return the teams, each with its people and agents."""
    people = Person.objects.filter(team=OuterRef("pk"), deactivated_at__isnull=True)
    agents = Agent.objects.filter(team=OuterRef("pk"), retired_at__isnull=True)
    return teams_for(actor).annotate(
        people_count=Coalesce(_number(people.order_by().values("team")), 0),
        agent_count=Coalesce(_number(agents.order_by().values("team")), 0),
    )


def _number(grouped: Any) -> Subquery:
    return Subquery(grouped.annotate(number=Count("pk")).values("number"))


def names_of(refs: Iterable[str]) -> dict[str, str]:
    """Return how people know some references, such as ``person:per_…``; unknown ones are absent."""
    by_kind: dict[str, set[str]] = {}
    for ref in refs:
        kind, _, ident = ref.partition(":")
        by_kind.setdefault(kind, set()).add(ident)
    people = Person.objects.filter(public_id__in=by_kind.get("person", ()))
    agents = Agent.objects.filter(public_id__in=by_kind.get("agent", ()))
    return {str(person.ref): str(person) for person in people} | {
        str(agent.ref): agent.name for agent in agents
    }
