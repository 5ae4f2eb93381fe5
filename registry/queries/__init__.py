"""Every read of the registry; nothing here writes."""

from __future__ import annotations

from registry.queries.credentials import agent_key_for, token_for, tokens_of
from registry.queries.people import (
    active_person,
    people_for,
    person_for,
    sees_roles,
    team_for,
    teams_for,
    visible_person,
)

__all__ = [
    "active_person",
    "agent_key_for",
    "people_for",
    "person_for",
    "sees_roles",
    "team_for",
    "teams_for",
    "token_for",
    "tokens_of",
    "visible_person",
]
