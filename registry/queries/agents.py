"""Reading agents, their versions, their keys and what happened to them.

Everybody who is signed in may see the inventory's headlines: that is how a duplicate is
found before it is built. Keys, runs and payloads are for those who answer for the agent
and those who govern.
"""

from __future__ import annotations

from django.db.models import F, Q, QuerySet

from ledger.models import Entry
from registry.actors import Actor
from registry.errors.agents import AgentNotFound, KeyNotFound, NotYourAgent, VersionNotFound
from registry.models import Agent, AgentKey, AgentVersion, Person, Role, SimilarAgent, Team

GOVERNING = (Role.PLATFORM, Role.SECURITY, Role.AUDITOR)
_MOST_WORDS = 8
_MOST_PEOPLE = 200
_HISTORY = (Entry.Kind.CHANGE, Entry.Kind.REVIEW, Entry.Kind.EFFECT)


def agents_for(actor: Actor) -> QuerySet[Agent]:
    """Return the agents this viewer may know of; an agent knows of itself."""
    agents = Agent.objects.select_related("owner", "backup_owner", "team", "current_version")
    if actor.ref.kind == "agent":
        return agents.filter(public_id=actor.ref.id)
    return agents


def listed(agents: QuerySet[Agent]) -> QuerySet[Agent]:
    """Return the agents without what a list of them never shows, and what is widest."""
    return agents.defer("searchable", "current_version__manifest")


def matching(agents: QuerySet[Agent], words: str) -> QuerySet[Agent]:
    """Return the agents in which every word occurs: in their texts, tags, owner or team."""
    for word in words.lower().split()[:_MOST_WORDS]:
        # The ids are fetched first, so that every part of the question has an index.
        people = Person.objects.filter(Q(email__icontains=word) | Q(name__icontains=word))
        teams = Team.objects.filter(Q(slug__icontains=word) | Q(name__icontains=word))
        agents = agents.filter(
            Q(searchable__contains=word)
            | Q(tags__contains=[word])
            | Q(owner_id__in=list(people.values_list("pk", flat=True)[:_MOST_PEOPLE]))
            | Q(team_id__in=list(teams.values_list("pk", flat=True)[:_MOST_PEOPLE]))
        )
    return agents


def agent_for(actor: Actor, name: str) -> Agent:
    """Return an agent by name or public id. Raises: AgentNotFound."""
    wanted = Q(public_id=name) if name.startswith("agt_") else Q(name=name)
    agent = agents_for(actor).filter(wanted).first() if _is_sayable(name) else None
    if agent is None:
        raise AgentNotFound(f"There is no agent {name[:80]!r}.", name=name[:80])
    return agent


def owns(actor: Actor, agent: Agent) -> bool:
    """Say whether the actor answers for the agent; a token without `employee` does not."""
    return actor.is_person(agent.owner) and actor.has(Role.EMPLOYEE)


def backs_up(actor: Actor, agent: Agent) -> bool:
    """Say whether the actor is the agent's backup owner."""
    return actor.is_person(agent.backup_owner) and actor.has(Role.EMPLOYEE)


def answers_for(actor: Actor, agent: Agent) -> bool:
    """Say whether the actor is the owner, the backup owner or the platform."""
    return owns(actor, agent) or backs_up(actor, agent) or actor.has(Role.PLATFORM)


def sees_inside(actor: Actor, agent: Agent) -> bool:
    """Say whether the actor may see keys, runs and payloads of the agent."""
    is_itself = actor.ref == agent.ref
    return is_itself or answers_for(actor, agent) or actor.has(*GOVERNING)


def agent_inside_for(actor: Actor, name: str) -> Agent:
    """Return an agent whose inside the viewer may see. Raises: AgentNotFound, NotYourAgent."""
    agent = agent_for(actor, name)
    if not sees_inside(actor, agent):
        raise NotYourAgent(
            "Only the owner, the backup owner, platform, security and auditors see this.",
            rule="registry.sees_inside",
        )
    return agent


def keys_of(agent: Agent) -> QuerySet[AgentKey]:
    """Return every key the agent ever had, the newest first; values are not stored."""
    return AgentKey.objects.filter(agent=agent).select_related("rotated_to").order_by("-id")


def key_of(agent: Agent, public_id: str) -> AgentKey:
    """Return one key of the agent. Raises: KeyNotFound."""
    key = keys_of(agent).filter(public_id=public_id).first() if _is_sayable(public_id) else None
    if key is None:
        raise KeyNotFound(f"{agent.name} has no key {public_id[:80]!r}.")
    return key


def versions_of(agent: Agent) -> QuerySet[AgentVersion]:
    """Return the agent's versions, the newest first."""
    return AgentVersion.objects.filter(agent=agent).order_by("-number")


def version_of(agent: Agent, number: int) -> AgentVersion:
    """Return one version by its number. Raises: VersionNotFound."""
    # Beyond the column's range the database would answer with an error of its own.
    version = versions_of(agent).filter(number=number).first() if number < 2**31 else None
    if version is None:
        raise VersionNotFound(f"{agent.name} has no version number {number}.")
    return version


def proposed_version(agent: Agent) -> AgentVersion | None:
    """Return the version that waits to be accepted."""
    return versions_of(agent).filter(state=AgentVersion.State.PROPOSED).first()


def shown_version(agent: Agent) -> AgentVersion:
    """Return the version in force or, before there is one, the newest. Raises: VersionNotFound."""
    version = agent.current_version or versions_of(agent).first()
    if version is None:
        raise VersionNotFound(f"{agent.name} has no version.")
    return version


def similar_of(agent: Agent) -> QuerySet[SimilarAgent]:
    """Return the agents it resembled when it was registered, the closest first."""
    found = SimilarAgent.objects.filter(agent=agent).select_related("other", "other__owner")
    return found.order_by("-score", "id")


def history_of(agent: Agent) -> QuerySet[Entry]:
    """Return the ledger's entries about the agent itself, the newest first; calls are runs."""
    entries = Entry.objects.filter(agent_id=agent.public_id, kind__in=_HISTORY)
    return entries.annotate(public_id=F("entry_id")).order_by("-id")


def _is_sayable(name: str) -> bool:
    # PostgreSQL refuses NUL in text; nothing that holds one was ever stored.
    return "\x00" not in name
