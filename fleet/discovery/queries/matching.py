"""Whom and which agent a finding belongs to, probably; each guess with its reason.

Conservative: a person is matched by an address or an unambiguous account, an agent by its
own name or by a repository that its manifest names. What is only alike is left to people.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final

from django.db.models import Q

from registry.models import Agent, AgentVersion, Person, Team

SURE: Final = 0.9
_MOST: Final = 2000


@dataclass(frozen=True, slots=True)
class Guess:
    """One reading of who or what it is."""

    confidence: float
    why: str
    person: Person | None = None
    agent: Agent | None = None

    def told(self) -> dict[str, Any]:
        return {"why": self.why, "confidence": round(self.confidence, 2)}


@dataclass(slots=True)
class Directory:
    """The people, teams and agents that some hints and names may mean, fetched at once."""

    people: dict[str, list[Person]] = field(default_factory=dict)
    teams: dict[str, Team] = field(default_factory=dict)
    agents: dict[str, Agent] = field(default_factory=dict)
    repositories: dict[str, Agent] = field(default_factory=dict)

    @classmethod
    def of(cls, hints: Iterable[str], names: Iterable[str], repositories: Iterable[str]) -> Any:
        accounts = {_account(hint) for hint in hints}
        found = cls()
        mails = {each for each in accounts if "@" in each}
        plain = accounts - mails
        asked = Q(email__in=mails)
        for account in sorted(plain)[:_MOST]:
            asked |= Q(email__startswith=f"{account}@")
        for person in Person.objects.filter(asked).select_related("team") if accounts else ():
            local = person.email.partition("@")[0]
            found.people.setdefault(person.email, []).append(person)
            found.people.setdefault(local, []).append(person)
        slugs = {_slug(each) for each in (*hints, *plain)}
        found.teams = {team.slug: team for team in Team.objects.filter(slug__in=slugs)}
        agents = Agent.objects.exclude(stage=Agent.Stage.RETIRED).select_related("owner")
        wanted = {_slug(name) for name in names} - {""}
        found.agents = {agent.name: agent for agent in agents.filter(name__in=wanted)}
        found.repositories = _by_repository({address_of(each) for each in repositories} - {""})
        return found


def _by_repository(wanted: set[str]) -> dict[str, Agent]:
    if not wanted:
        return {}
    versions = AgentVersion.objects.filter(
        manifest__metadata__has_key="annotations", agent__retired_at__isnull=True
    ).select_related("agent__owner")
    found: dict[str, Agent] = {}
    for version in versions.order_by("number").iterator(chunk_size=500):
        annotations = version.manifest["metadata"].get("annotations")
        for value in annotations.values() if isinstance(annotations, dict) else ():
            address = address_of(str(value))
            if address in wanted:
                found[address] = version.agent
    return found


def likely_owners(people: Iterable[dict[str, Any]], known: Directory) -> list[Guess]:
    """Return who may answer for it, the likeliest first; hints without a match come last."""
    guesses = []
    for hint in people:
        who, why, sure = str(hint["who"]), str(hint["why"]), float(hint["confidence"])
        matched = known.people.get(_account(who), [])
        team = known.teams.get(_slug(who))
        if len(matched) == 1 and not matched[0].is_active:
            guesses.append(Guess(0.0, f"{matched[0].email} {why}, and has left"))
        elif len(matched) == 1:
            # An account without a domain is a name that two could have.
            kept = sure if "@" in who else sure * 0.7
            guesses.append(Guess(kept, f"{matched[0].email} {why}", person=matched[0]))
        elif team is not None:
            guesses.append(Guess(sure * 0.5, f"the team {team.name} {why}"))
        else:
            guesses.append(Guess(0.0, f"{who} {why}; nobody here has that name"))
    return sorted(guesses, key=lambda each: (each.person is None, -each.confidence))


def resembling_agents(
    names: Iterable[str], repository: str, owner: Person | None, known: Directory, *, declared: str
) -> list[Guess]:
    """Return the agents it may be, the likeliest first."""
    guesses = []
    if (agent := known.repositories.get(address_of(repository))) is not None:
        guesses.append(Guess(SURE, f"{agent.name} names this repository", agent=agent))
    if declared and (agent := known.agents.get(_slug(declared))) is not None:
        guesses.append(Guess(0.95, f"its agent.yaml is of {agent.name}", agent=agent))
    for name in names:
        agent = known.agents.get(_slug(name))
        if agent is None:
            continue
        same = owner is not None and owner == agent.owner
        why = f"{agent.name} has the same name" + (" and owner" if same else "")
        guesses.append(Guess(0.8 if same else 0.5, why, agent=agent))
    return sorted(guesses, key=lambda each: -each.confidence)


def address_of(text: str) -> str:
    """Return a repository's address as it is compared: host and path, whatever the way to it."""
    found = text.strip().lower().removeprefix("url:").removesuffix("/")
    found = re.sub(r"^(?:[a-z+]+://)?(?:[^@/]*@)?", "", found).removesuffix(".git")
    host, separator, path = found.partition(":")
    if separator and "/" not in host and not path[:1].isdigit():
        found = f"{host}/{path}"  # as ssh writes it
    return found if "/" in found else ""


def _account(text: str) -> str:
    # ACME\jana and jana@ACME.TEST are how proxies and directories write one account.
    name = text.strip().lower().rpartition("\\")[2]
    return name.removeprefix("mailto:").lstrip("@")


def _slug(text: str) -> str:
    name = text.strip().lower().rpartition("/")[2].lstrip("@")
    return re.sub(r"[^a-z0-9]+", "-", name).strip("-")[:64]
