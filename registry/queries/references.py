"""Do the names in a manifest exist: people, team, routes, data classes.

Owns the sentences that say what exists instead or how to create it; all missing names
are reported together, each at its line.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from django.conf import settings

from registry import ports
from registry.manifest import Manifest
from registry.manifest.problems import Problem, listed, nearest, shown
from registry.manifest.reading import refused
from registry.manifest.sensitivity import DATA_CLASSES, SYNONYMS
from registry.models import Person, Team


@dataclass(frozen=True, slots=True)
class References:
    """The rows that a manifest names."""

    owner: Person
    backup_owner: Person
    team: Team | None


def data_classes() -> tuple[str, ...]:
    """Return the data classes of this installation, from the widest audience down."""
    return tuple(getattr(settings, "DATA_CLASSES", DATA_CLASSES))


def resolve(manifest: Manifest) -> References:
    """Find every row a manifest names. Raises: ManifestInvalid, with all that are missing."""
    emails = (manifest.owner_email.lower(), manifest.backup_email.lower())
    people = {person.email: person for person in Person.objects.filter(email__in=emails)}
    team = Team.objects.filter(slug=manifest.team).first() if manifest.team else None
    problems = [
        *_people(manifest, people),
        *_team(manifest, team),
        *_data_classes(manifest),
        *_routes(manifest),
    ]
    if problems:
        raise refused(sorted(problems, key=lambda problem: problem.line or 0))
    owner = people[emails[0]]
    return References(owner, people[emails[1]], team or owner.team)


def _people(manifest: Manifest, people: dict[str, Person]) -> Iterator[Problem]:
    for key, email in (("owner", manifest.owner_email), ("backupOwner", manifest.backup_email)):
        person = people.get(email.lower())
        if person is None:
            yield manifest.problem(
                ("spec", key),
                f"there is no person {shown(email)}; they sign in once, or the platform team"
                " adds them (manage.py signin-link --email …)",
            )
        elif not person.is_active:
            yield manifest.problem(
                ("spec", key), f"{shown(email)} is deactivated; name somebody who is active"
            )


def _team(manifest: Manifest, team: Team | None) -> Iterator[Problem]:
    if not manifest.team or team is not None:
        return
    slugs = list(Team.objects.order_by("slug").values_list("slug", flat=True))
    meant = nearest(manifest.team, slugs)
    there_are = f"there are {listed(slugs)}" if slugs else "there is none yet"
    hint = f"did you mean {meant}?" if meant else f"{there_are}; the platform team adds teams"
    yield manifest.problem(
        ("spec", "team"), f"there is no team '{shown(manifest.team)}'; {hint}", meant
    )


def _data_classes(manifest: Manifest) -> Iterator[Problem]:
    known = data_classes()
    for index, name in enumerate(manifest.data_classes):
        if name in known:
            continue
        meant = SYNONYMS.get(name.lower(), "") or nearest(name, known)
        meant = meant if meant in known else ""
        hint = f"did you mean {meant}? " if meant else ""
        message = f"there is no data class '{shown(name)}'; {hint}There are {listed(known)}"
        yield manifest.problem(("spec", "dataClasses", index), message, meant)


def _routes(manifest: Manifest) -> Iterator[Problem]:
    missing = ports.routes().unknown(manifest.routes)
    if not missing:
        return
    names = ports.routes().visible_names()
    for path, name in manifest.route_places():
        if name in missing:
            meant = nearest(name, names)
            there_are = f"there are {listed(names)}" if names else "there is none yet"
            hint = (
                f"did you mean {meant}?" if meant else f"{there_are}; the platform team adds routes"
            )
            message = f"there is no route '{shown(name)}'; {hint}"
            yield manifest.problem(path, message, meant)
