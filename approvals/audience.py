"""Whom a review is put to: roles, teams and people, and who of them is there now.

A reference is `role:security`, `team:<slug>` or `person:per_…`; whoever one of them means may
decide. From its escalation on, those it escalates to belong to it too: that is asked of the
database's clock whenever somebody decides, so it holds with every sweep down.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from django.db.models import Q
from django.db.models.functions import Now

from approvals.models import Review
from registry.actors import Actor
from registry.models import Person, Role, Team

_REF: Final = re.compile(r"(role|team|person):(\S{1,80})")


def is_audience(ref: str) -> bool:
    """Say whether a reference can be asked."""
    named = _REF.fullmatch(ref)
    return named is not None and (named[1] != "role" or named[2] in Role.values)


def refs_of(actor: Actor) -> list[str]:
    """Return the references that mean this actor, with the roles in force now."""
    person, roles = actor.person, [f"role:{role}" for role in sorted(actor.roles)]
    if person is None or not actor.has(Role.EMPLOYEE):
        return roles  # a token narrowed to one role speaks for that role alone
    team = [f"team:{person.team.slug}"] if person.team is not None else []
    return [*roles, *team, str(person.ref)]


def put_to(refs: list[str]) -> Q:
    """Return the reviews whose audience at this moment holds one of the references."""
    return Q(audience__overlap=refs) | Q(escalates_at__lte=Now(), escalate_to__overlap=refs)


def audience_now(review: Review) -> list[str]:
    """Return whom a review is put to at this moment, by the database's clock."""
    if review.escalates_at is None:
        return list(review.audience)
    is_due = Review.objects.filter(pk=review.pk, escalates_at__lte=Now()).exists()
    seniors = review.escalate_to if is_due else []
    return list(dict.fromkeys([*review.audience, *seniors]))


def people_of(audience: Iterable[str]) -> Q:
    """Return the active people whom an audience means."""
    named: dict[str, list[str]] = {"role": [], "team": [], "person": []}
    for ref in audience:
        kind, _, name = ref.partition(":")
        named[kind].append(name)
    anyone = Q(roles__overlap=named["role"]) | Q(public_id__in=named["person"])
    return Q(deactivated_at__isnull=True) & (anyone | Q(team__slug__in=named["team"]))


def is_in(person: Person, audience: Iterable[str]) -> bool:
    """Say whether an audience means a person, with the roles and the team they have now."""
    return bool(set(refs_of(Actor.of(person))) & set(audience))


def in_words(audience: Iterable[str]) -> str:
    """Say whom an audience means, as people would: roles first, then teams, then people."""
    named: dict[str, list[str]] = {"role": [], "team": [], "person": []}
    for ref in audience:
        kind, _, name = ref.partition(":")
        named[kind].append(name)
    words = [f"people with the {role} role" for role in named["role"]]
    if named["team"]:
        teams = Team.objects.filter(slug__in=named["team"]).order_by("name")
        words += [f"team {name}" for name in teams.values_list("name", flat=True)]
    if named["person"]:
        people = Person.objects.filter(public_id__in=named["person"]).order_by("email")
        words += [str(person) for person in people]
    return " or ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)
