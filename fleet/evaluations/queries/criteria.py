"""Which criteria are in force for an agent, and which came before."""

from __future__ import annotations

from django.db.models import QuerySet

from fleet.evaluations.criteria import DEFAULTS, Criteria
from fleet.evaluations.models import GateCriteria
from registry.models import Agent


def criteria_of(agent: Agent) -> Criteria:
    """Return the criteria in force; the defaults where nobody has set any."""
    newest = criteria_rows(agent).first()
    return DEFAULTS if newest is None else Criteria(**newest.said)


def criteria_rows(agent: Agent) -> QuerySet[GateCriteria]:
    """Return every change of an agent's criteria, the newest first."""
    return GateCriteria.objects.filter(agent=agent).order_by("-number")
