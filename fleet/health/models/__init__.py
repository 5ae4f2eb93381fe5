"""What is known of each agent's health: its checks, its status, and the incidents."""

from __future__ import annotations

from fleet.health.models.check import Check, Source, Status
from fleet.health.models.incident import Incident, IncidentAgent, IncidentEvent
from fleet.health.models.muting import Mute
from fleet.health.models.publishing import StatusLink, TeamDay
from fleet.health.models.rota import Cover, Rota
from fleet.health.models.standing import AgentHealth, CallWindow, HealthChange, HealthDay, Sweep

__all__ = [
    "AgentHealth",
    "CallWindow",
    "Check",
    "Cover",
    "HealthChange",
    "HealthDay",
    "Incident",
    "IncidentAgent",
    "IncidentEvent",
    "Mute",
    "Rota",
    "Source",
    "Status",
    "StatusLink",
    "Sweep",
    "TeamDay",
]
