"""Trials as people and clients read them: security and the platform team, auditors too."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from django.db.models import Q, QuerySet, TextField
from django.db.models.functions import Cast

from registry.actors import Actor
from registry.models import Agent, Person, Role
from rules.errors import BundleNotFound, TrialNotFound
from rules.models import Bundle, Change, Question, Trial

SEEING: Final = (Role.SECURITY, Role.PLATFORM, Role.AUDITOR)


def tried_bundle(actor: Actor, bundle: str) -> Bundle:
    """Return a bundle that this viewer may try. Raises: RoleMissing, BundleNotFound."""
    actor.require(*SEEING)
    found = Bundle.objects.filter(public_id=bundle.replace("\x00", "")).first()
    if found is None:
        raise BundleNotFound
    return found


def trials_for(actor: Actor) -> QuerySet[Trial]:
    """Every trial. Raises: RoleMissing."""
    actor.require(*SEEING)
    return Trial.objects.select_related("bundle").order_by("-asked_at", "-pk")


def trials_of(actor: Actor, bundle: str) -> QuerySet[Trial]:
    """The trials of a bundle. Raises: RoleMissing, BundleNotFound."""
    return trials_for(actor).filter(bundle=tried_bundle(actor, bundle))


def trial_for(actor: Actor, trial: str, bundle: str) -> Trial:
    """One trial of a bundle by its id. Raises: RoleMissing, TrialNotFound."""
    found = trials_for(actor).filter(
        public_id=trial.replace("\x00", ""), bundle__public_id=bundle.replace("\x00", "")
    ).first()  # fmt: skip
    if found is None:
        raise TrialNotFound
    return found


def latest_trial(bundle: Bundle) -> Trial | None:
    """Return the newest trial of a bundle that has ended, for whoever decides on it."""
    over = (Trial.State.READY, Trial.State.FAILED)
    return Trial.objects.filter(bundle=bundle, state__in=over).order_by("-finished_at").first()


def changes_of(trial: Trial, asked: Mapping[str, str]) -> QuerySet[Change]:
    """What a trial would change, narrowed by agent, owner, rule or what was found."""
    # What a page ends at is named by an id in text, and changes have none of their own.
    rows = Change.objects.filter(trial=trial).annotate(public_id=Cast("id", TextField()))
    if agent := asked.get("agent"):
        rows = rows.filter(agent_id__in=_agents_called(agent))
    if owner := asked.get("owner"):
        rows = rows.filter(owner__in=_people_called(owner))
    if rule := asked.get("rule"):
        rows = rows.filter(Q(rule=rule) | Q(new_rule=rule))
    if found := asked.get("found"):
        rows = rows.filter(found=found)
    return rows.order_by("-decisions", "id")


def _agents_called(name: str) -> list[str]:
    """Return the ids of an agent by its name or id."""
    rows = Agent.objects.filter(Q(name=name) | Q(public_id=name))
    return [name, *rows.values_list("public_id", flat=True)]


def _people_called(name: str) -> list[str]:
    """Return the ids of a person by their address or id."""
    rows = Person.objects.filter(Q(email__iexact=name) | Q(public_id=name))
    return [name, *rows.values_list("public_id", flat=True)]


def kept_of(trial: Trial) -> int:
    """How many questions are kept of a trial."""
    return Question.objects.filter(trial=trial).count()


def names_to_narrow_by(trial: Trial) -> tuple[dict[str, str], dict[str, str]]:
    """Return the agents and the owners of what would change, by id; some, of very many."""
    rows = Change.objects.filter(trial=trial)
    agents = sorted(set(rows.values_list("agent_id", flat=True)[:5000]))[:200]
    owners = sorted(set(rows.values_list("owner", flat=True)[:5000]) - {""})[:200]
    names = _names(agents, owners)
    return {each: names.get(each, each) for each in agents}, {
        each: names.get(each, each) for each in owners
    }


def named_in(rows: Iterable[Change]) -> dict[str, str]:
    """Return how people know the agents and owners of changes, by their ids."""
    rows = list(rows)
    return _names([row.agent_id for row in rows], [row.owner for row in rows])


def _names(agents: Iterable[str], owners: Iterable[str]) -> dict[str, str]:
    known = dict(Agent.objects.filter(public_id__in=agents).values_list("public_id", "name"))
    people = Person.objects.filter(public_id__in=owners)
    return known | {person.public_id: str(person) for person in people}


def questions_of(trial: Trial) -> QuerySet[Question]:
    """The distinct questions that are kept of a trial: those that would change."""
    return Question.objects.filter(trial=trial).order_by("-decisions", "id")
