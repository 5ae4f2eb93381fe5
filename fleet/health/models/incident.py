"""Incidents: something is wrong, somebody answers for it, and what was done about it.

At most one incident is open under a key. One vendor's or one host's failure is one incident with
many agents, not one for each.
"""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from kernel.refs import Ref
from registry.models import Agent, Person, Team


class Incident(models.Model):
    """Something that is wrong, from when it was found until it is over."""

    class State(models.TextChoices):
        OPEN = "open", "Open"
        ACKNOWLEDGED = "acknowledged", "Acknowledged"
        RESOLVED = "resolved", "Resolved"

    class Severity(models.TextChoices):
        DEGRADED = "degraded", "Degraded"
        DOWN = "down", "Down"

    public_id = models.TextField(unique=True)  # inc_…
    key = models.TextField()  # what it is about: agent:agt_…, vendor:openai, cutover:cut_…
    kind = models.TextField()  # health, group, cutover, drift, sync …
    severity = models.TextField(choices=Severity.choices, default=Severity.DOWN)
    subject = models.TextField()
    agent = models.ForeignKey(
        Agent, null=True, blank=True, on_delete=models.PROTECT, related_name="incidents"
    )
    title = models.TextField()
    facts = models.JSONField(default=dict)
    state = models.TextField(choices=State.choices, default=State.OPEN)
    owner = models.ForeignKey(
        Person, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    team = models.ForeignKey(
        Team, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    on_call = models.TextField(blank=True, default="")
    # Whom the team's rota named; the agent's own word for who is on call goes before it.
    called = models.ForeignKey(
        Person, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    runbook = models.TextField(blank=True, default="")
    agent_count = models.PositiveIntegerField(default=0)  # of a group: how many it has touched
    opened_at = models.DateTimeField()
    well_since = models.DateTimeField(null=True, blank=True)  # it resolves when this lasts
    acknowledged_at = models.DateTimeField(null=True, blank=True)
    acknowledged_by = models.ForeignKey(
        Person, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    resolved_at = models.DateTimeField(null=True, blank=True)
    resolved_why = models.TextField(blank=True, default="")
    level = models.PositiveSmallIntegerField(default=0)  # how far it has escalated
    escalates_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["key"],
                condition=Q(resolved_at__isnull=True),
                name="health_incident_one_open_per_key",
            ),
            models.CheckConstraint(
                condition=Q(state="resolved", resolved_at__isnull=False)
                | (~Q(state="resolved") & Q(resolved_at__isnull=True)),
                name="health_incident_resolved_iff_stamped",
            ),
            models.CheckConstraint(
                condition=~Q(state="acknowledged")
                | Q(acknowledged_at__isnull=False, acknowledged_by__isnull=False),
                name="health_incident_acknowledged_by_somebody",
            ),
        ]
        indexes = [
            models.Index(
                fields=["escalates_at"],
                condition=Q(state="open", escalates_at__isnull=False),
                name="health_incident_escalate_idx",
            ),
            models.Index(fields=["-opened_at", "-public_id"], name="health_incident_newest_idx"),
            models.Index(fields=["agent", "-opened_at"], name="health_incident_agent_idx"),
        ]

    def __str__(self) -> str:
        return self.title

    @property
    def ref(self) -> Ref:
        return Ref("incident", self.public_id)

    @property
    def path(self) -> str:
        return f"/health/incidents/{self.public_id}/"


class IncidentAgent(models.Model):
    """One agent that an incident has touched."""

    incident = models.ForeignKey(Incident, on_delete=models.PROTECT, related_name="agents")
    agent = models.ForeignKey(Agent, on_delete=models.PROTECT, related_name="+")
    joined_at = models.DateTimeField()
    left_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["incident", "agent"], name="health_incidentagent_once")
        ]
        indexes = [
            models.Index(
                fields=["agent"],
                condition=Q(left_at__isnull=True),
                name="health_incidentagent_in_idx",
            )
        ]

    def __str__(self) -> str:
        return f"{self.incident_id}: {self.agent_id}"


class IncidentEvent(models.Model):
    """One line of an incident's story; what a person wrote stands here, and in no entry."""

    class What(models.TextChoices):
        OPENED = "opened", "Opened"
        CHANGED = "changed", "Changed"
        JOINED = "joined", "More agents"
        CALLED = "called", "On call"
        ACKNOWLEDGED = "acknowledged", "Acknowledged"
        ASSIGNED = "assigned", "Assigned"
        NOTED = "noted", "Note"
        ESCALATED = "escalated", "Escalated"
        RESOLVED = "resolved", "Resolved"

    incident = models.ForeignKey(Incident, on_delete=models.PROTECT, related_name="events")
    at = models.DateTimeField()
    what = models.TextField(choices=What.choices)
    actor = models.TextField()
    text = models.TextField(blank=True, default="")

    class Meta:
        indexes = [models.Index(fields=["incident", "at"], name="health_incidentevent_story_idx")]

    def __str__(self) -> str:
        return f"{self.incident_id} {self.what}"
