"""What is known: people and teams, agents and their versions, the keys agents hold."""

from __future__ import annotations

from registry.models.agent import Agent, AgentVersion, SimilarAgent
from registry.models.key import AgentKey
from registry.models.person import Person, PersonToken, Role, Team
from registry.models.signin import SignInBrake, SignInLink

__all__ = [
    "Agent",
    "AgentKey",
    "AgentVersion",
    "Person",
    "PersonToken",
    "Role",
    "SignInBrake",
    "SignInLink",
    "SimilarAgent",
    "Team",
]
