"""What the health API shows of agents, checks and incidents."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from fleet.health.models import Incident, Status


class StandingOutput(serializers.Serializer[Any]):
    """An agent's status; the reason is empty where it is not for this viewer."""

    agent = serializers.CharField(source="agent.name")
    team = serializers.CharField(source="agent.team.slug", default=None, allow_null=True)
    status = serializers.ChoiceField(choices=Status.choices)
    since = serializers.DateTimeField()
    reason = serializers.CharField()


class CheckOutput(serializers.Serializer[Any]):
    """One way in which an agent is watched, and what it says."""

    source = serializers.CharField()  # type: ignore[assignment]
    kind = serializers.CharField()
    origin = serializers.CharField()
    status = serializers.ChoiceField(choices=Status.choices)
    since = serializers.DateTimeField()
    reason = serializers.CharField()
    seen_at = serializers.DateTimeField(allow_null=True)
    due_at = serializers.DateTimeField(allow_null=True)
    url = serializers.CharField()
    interval_seconds = serializers.IntegerField()
    grace_seconds = serializers.IntegerField()
    cron = serializers.CharField()
    zone = serializers.CharField()
    message = serializers.CharField(source="said")


class DayOutput(serializers.Serializer[Any]):
    """One day in UTC: the worst status, and how often the agent was heard of and asked."""

    day = serializers.DateField()
    status = serializers.ChoiceField(choices=Status.choices)
    beats = serializers.IntegerField()
    late = serializers.IntegerField()
    probes = serializers.IntegerField()
    failed = serializers.IntegerField()


class AgentHealthOutput(serializers.Serializer[Any]):
    """All that is known of one agent's health."""

    agent = serializers.CharField()
    status = serializers.ChoiceField(choices=Status.choices)
    since = serializers.DateTimeField(allow_null=True)
    reason = serializers.CharField()
    runbook = serializers.CharField()
    checks = CheckOutput(many=True)
    days = DayOutput(many=True)


class IncidentOutput(serializers.Serializer[Any]):
    """Something that is wrong, and who has taken it."""

    id = serializers.CharField(source="public_id")
    key = serializers.CharField()
    kind = serializers.CharField()
    severity = serializers.ChoiceField(choices=Incident.Severity.choices)
    state = serializers.ChoiceField(choices=Incident.State.choices)
    title = serializers.CharField()
    agent = serializers.CharField(source="agent.name", default=None, allow_null=True)
    agents = serializers.IntegerField(source="agent_count")
    owner = serializers.EmailField(source="owner.email", default=None, allow_null=True)
    on_call = serializers.CharField()
    runbook = serializers.CharField()
    opened_at = serializers.DateTimeField()
    acknowledged_at = serializers.DateTimeField(allow_null=True)
    acknowledged_by = serializers.EmailField(
        source="acknowledged_by.email", default=None, allow_null=True
    )
    resolved_at = serializers.DateTimeField(allow_null=True)
    resolved_why = serializers.CharField()


class IncidentEventOutput(serializers.Serializer[Any]):
    """One line of an incident's story."""

    at = serializers.DateTimeField()
    what = serializers.CharField()
    actor = serializers.CharField()
    text = serializers.CharField()


class IncidentStoryOutput(IncidentOutput):
    """An incident with its story."""

    story = IncidentEventOutput(many=True)
