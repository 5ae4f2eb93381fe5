"""How agents, versions and keys look on the wire; shared by their three lists of addresses."""

from __future__ import annotations

import json
from typing import Any

from django.conf import settings
from django.urls import reverse
from rest_framework import serializers

from kernel import clock
from ledger.models import Entry
from registry.models import Agent, AgentKey, AgentVersion


class SimilarOutput(serializers.Serializer[Any]):
    """An agent that resembles another, with the reasons."""

    name = serializers.CharField()
    owner = serializers.CharField()
    score = serializers.FloatField()
    reasons = serializers.ListField(child=serializers.CharField())


class AgentOutput(serializers.Serializer[Any]):
    """An agent's headlines, as everybody who is signed in may see them."""

    id = serializers.CharField(source="public_id")
    name = serializers.CharField()
    title = serializers.CharField()
    description = serializers.CharField()
    purpose = serializers.CharField()
    stage = serializers.ChoiceField(choices=Agent.Stage.choices)
    callable = serializers.BooleanField(source="is_callable")
    suspended = serializers.BooleanField(source="is_suspended")
    suspended_at = serializers.DateTimeField(allow_null=True)
    suspended_reason = serializers.CharField()
    killed_at = serializers.DateTimeField(allow_null=True)
    retired_at = serializers.DateTimeField(allow_null=True)
    stage_changed_at = serializers.DateTimeField()
    owner = serializers.CharField(source="owner.email")
    backup_owner = serializers.CharField(source="backup_owner.email", default=None, allow_null=True)
    team = serializers.CharField(source="team.slug", default=None, allow_null=True)
    on_call = serializers.CharField()
    cost_center = serializers.CharField()
    risk_tier = serializers.CharField()
    data_classes = serializers.ListField(child=serializers.CharField())
    tags = serializers.ListField(child=serializers.CharField())
    routes = serializers.ListField(child=serializers.CharField())
    tools = serializers.ListField(child=serializers.CharField())
    version = serializers.CharField(
        source="current_version.version", default=None, allow_null=True, help_text="In force."
    )
    demo = serializers.BooleanField(source="is_demo")
    created_at = serializers.DateTimeField()
    links = serializers.SerializerMethodField()

    def get_links(self, agent: Agent) -> dict[str, str]:
        return links_of(agent)


class ChangeOutput(serializers.Serializer[Any]):
    """One difference between two versions, with why it matters."""

    path = serializers.CharField()
    kind = serializers.ChoiceField(choices=["added", "removed", "changed"])
    before = serializers.JSONField()
    after = serializers.JSONField()
    risk = serializers.CharField(help_text="Empty when it does not matter to a reviewer.")
    label = serializers.CharField()  # type: ignore[assignment]  # a field, not the attribute


class VersionOutput(serializers.Serializer[Any]):
    """One manifest as it was handed in."""

    id = serializers.CharField(source="public_id")
    number = serializers.IntegerField()
    version = serializers.CharField()
    digest = serializers.CharField()
    state = serializers.ChoiceField(choices=AgentVersion.State.choices)
    source = serializers.CharField()  # type: ignore[assignment]  # a field, not the attribute
    created_by = serializers.CharField()
    created_at = serializers.DateTimeField()
    settled_at = serializers.DateTimeField(allow_null=True)


class VersionDetailOutput(VersionOutput):
    """A version with its manifest and what it changed from the one before it."""

    manifest = serializers.JSONField()
    changes = ChangeOutput(many=True, required=False)


class KeyOutput(serializers.Serializer[Any]):
    """A key's particulars; there is no value to show."""

    id = serializers.CharField(source="public_id")
    hint = serializers.CharField(source="__str__", help_text="What the key begins with.")
    label = serializers.CharField(source="name")  # type: ignore[assignment]  # as above
    active = serializers.SerializerMethodField()
    created_by = serializers.CharField()
    created_at = serializers.DateTimeField()
    expires_at = serializers.DateTimeField()
    last_used_at = serializers.DateTimeField(allow_null=True)
    revoked_at = serializers.DateTimeField(allow_null=True)
    revoked_by = serializers.CharField()
    revoked_reason = serializers.CharField()
    rotated_to = serializers.CharField(source="rotated_to.public_id", default=None, allow_null=True)

    def get_active(self, key: AgentKey) -> bool:
        return key.revoked_at is None and key.expires_at > clock.now()


class EntryOutput(serializers.Serializer[Any]):
    """One thing that happened to an agent, as the ledger has it."""

    id = serializers.CharField(source="entry_id")
    kind = serializers.CharField()
    verb = serializers.CharField()
    actor = serializers.CharField()
    subject = serializers.CharField()
    recorded_at = serializers.DateTimeField()
    facts = serializers.SerializerMethodField()

    def get_facts(self, entry: Entry) -> dict[str, Any]:
        facts: dict[str, Any] = json.loads(bytes(entry.header))["facts"]
        return facts


def links_of(agent: Agent) -> dict[str, str]:
    """Return the addresses where one goes on from an agent."""
    api = f"{settings.PUBLIC_URL}{reverse('agent', args=[agent.name])}"
    return {
        "self": api,
        "page": f"{settings.PUBLIC_URL}/agents/{agent.name}/",
        "manifest": f"{api}/manifest.yaml",
        "versions": f"{api}/versions",
        "keys": f"{api}/keys",
        "history": f"{api}/history",
        "submit": f"{api}/submit",
    }
