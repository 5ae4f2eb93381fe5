"""Agents, their versions and keys in the admin; the steps of a life are buttons with a reason."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from django.contrib import admin

from kernel.admin import GovernedAdmin, GovernedInline
from registry.actions import agents as act
from registry.actions.keys import revoke_key
from registry.actors import Actor
from registry.admin.changes import RememberedAdmin
from registry.buttons import Step, button
from registry.models import Agent, AgentKey, AgentVersion


def _on(action: Callable[..., object]) -> Callable[[Agent, Actor, str], object]:
    def take(agent: Agent, actor: Actor, reason: str) -> object:
        return action(agent.name, actor=actor, reason=reason)

    return take


def _revoke(key: AgentKey, actor: Actor, reason: str) -> object:
    return revoke_key(key.agent.name, key.public_id, actor=actor, reason=reason)


class VersionInline(GovernedInline):
    """The manifests of the agent shown."""

    model = AgentVersion
    fields: ClassVar[list[str]] = ["number", "version", "state", "source", "created_at", "digest"]
    ordering = ("-number",)


class KeyInline(GovernedInline):
    """The keys of the agent shown; never their values."""

    model = AgentKey
    fk_name = "agent"
    fields: ClassVar[list[str]] = ["key_id", "name", "expires_at", "revoked_at", "last_used_at"]
    ordering = ("-id",)


@admin.register(Agent)
class AgentAdmin(RememberedAdmin):
    """A piece of software that calls models."""

    list_display: ClassVar[list[str]] = [
        "name", "title", "stage", "owner", "team", "suspended_at", "created_at",
    ]  # fmt: skip
    list_filter: ClassVar[list[str]] = ["stage", "team", "risk_tier"]
    list_select_related = ("owner", "team")
    search_fields: ClassVar[list[str]] = ["name", "title", "public_id", "owner__email"]
    ordering = ("name",)
    exclude: ClassVar[list[str]] = ["searchable"]
    inlines: ClassVar[list[Any]] = [VersionInline, KeyInline]
    actions_detail: ClassVar[list[Any]] = ["suspend", "resume", "deprecate", "retire", "kill"]

    suspend = button(
        Step(
            "suspend",
            "Suspend",
            "Every call is refused within a second. Stage, versions and keys stay.",
            _on(act.suspend_agent),
            icon="pause",
        )
    )
    resume = button(
        Step(
            "resume",
            "Resume",
            "Its calls are let through again; a killed agent comes back without keys.",
            _on(act.resume_agent),
            icon="play_arrow",
        )
    )
    deprecate = button(
        Step(
            "deprecate",
            "Deprecate",
            "It goes on working; whoever looks it up reads that its end is near.",
            _on(act.deprecate_agent),
            icon="archive",
        )
    )
    retire = button(
        Step(
            "retire",
            "Retire",
            "Every key is revoked, every call refused. Two people may bring it back within 30"
            " days.",
            _on(act.retire_agent),
            icon="power_settings_new",
            is_dangerous=True,
        )
    )
    kill = button(
        Step(
            "kill",
            "Kill",
            "For emergencies: every key is revoked and every call refused at once.",
            _on(act.kill_agent),
            icon="dangerous",
            is_dangerous=True,
        )
    )


@admin.register(AgentVersion)
class AgentVersionAdmin(GovernedAdmin):
    """One manifest, immutable."""

    list_display: ClassVar[list[str]] = ["agent", "number", "version", "state", "created_at"]
    list_filter: ClassVar[list[str]] = ["state", "source"]
    list_select_related = ("agent",)
    search_fields: ClassVar[list[str]] = ["agent__name", "version", "digest"]
    ordering = ("-id",)


@admin.register(AgentKey)
class AgentKeyAdmin(GovernedAdmin):
    """What an agent presents to the gateway; never its value."""

    list_display: ClassVar[list[str]] = [
        "key_id", "agent", "name", "expires_at", "revoked_at", "last_used_at",
    ]  # fmt: skip
    list_select_related = ("agent",)
    search_fields: ClassVar[list[str]] = ["key_id", "agent__name", "public_id"]
    ordering = ("-id",)
    fields: ClassVar[list[str]] = [
        "public_id", "key_id", "agent", "name", "created_by", "created_at", "expires_at",
        "last_used_at", "revoked_at", "revoked_by", "revoked_reason", "rotated_to",
    ]  # fmt: skip
    actions_detail: ClassVar[list[Any]] = ["revoke"]

    revoke = button(
        Step(
            "revoke",
            "Revoke",
            "Whatever uses the key is refused within a second. There is no way back.",
            _revoke,
            icon="key_off",
            is_dangerous=True,
        )
    )
