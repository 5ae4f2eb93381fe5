"""Every read of the registry; nothing here writes."""

from __future__ import annotations

from registry.queries.agents import (
    agent_for,
    agent_inside_for,
    agents_for,
    answers_for,
    history_of,
    keys_of,
    listed,
    matching,
    proposed_version,
    sees_inside,
    shown_version,
    similar_of,
    version_of,
    versions_of,
)
from registry.queries.credentials import agent_key_for, token_for, tokens_of
from registry.queries.people import (
    GOVERNING,
    active_person,
    people_for,
    person_for,
    sees_roles,
    team_for,
    teams_for,
    visible_person,
)

__all__ = [
    "GOVERNING",
    "active_person",
    "agent_for",
    "agent_inside_for",
    "agent_key_for",
    "agents_for",
    "answers_for",
    "history_of",
    "keys_of",
    "listed",
    "matching",
    "people_for",
    "person_for",
    "proposed_version",
    "sees_inside",
    "sees_roles",
    "shown_version",
    "similar_of",
    "team_for",
    "teams_for",
    "token_for",
    "tokens_of",
    "version_of",
    "versions_of",
    "visible_person",
]
