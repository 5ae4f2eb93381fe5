"""Incidents, checks, mutes and rotas in the admin: looked through, and acted on by buttons."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib import admin

from fleet.health.actions.incidents import acknowledge_incident, close_incident, note_on_incident
from fleet.health.actions.publishing import revoke_status_link
from fleet.health.actions.rotas import end_cover
from fleet.health.actions.setting import end_mute
from fleet.health.models import (
    Check,
    Cover,
    Incident,
    IncidentAgent,
    IncidentEvent,
    Mute,
    Rota,
    StatusLink,
)
from kernel.admin import GovernedAdmin, GovernedInline
from registry.actors import Actor
from registry.buttons import Step, button


def _take(incident: Incident, actor: Actor, reason: str) -> object:
    if reason:
        note_on_incident(incident, reason, actor=actor)
    return acknowledge_incident(incident, actor=actor)


def _close(incident: Incident, actor: Actor, reason: str) -> object:
    return close_incident(incident, why=reason, actor=actor)


def _end(mute: Mute, actor: Actor, _: str) -> object:
    return end_mute(mute, actor=actor)


def _end_cover(cover: Cover, actor: Actor, _: str) -> object:
    return end_cover(cover, actor=actor)


def _revoke(link: StatusLink, actor: Actor, _: str) -> object:
    return revoke_status_link(link, actor=actor)


class StoryInline(GovernedInline):
    """What happened."""

    model = IncidentEvent
    fields: ClassVar[list[str]] = ["at", "what", "actor", "text"]


class TouchedInline(GovernedInline):
    """The agents that it touched."""

    model = IncidentAgent
    fields: ClassVar[list[str]] = ["agent", "joined_at", "left_at"]


@admin.register(Incident)
class IncidentAdmin(GovernedAdmin):
    """Something that is wrong, and who takes care of it."""

    list_display: ClassVar[list[str]] = [
        "title", "kind", "severity", "state", "owner", "on_call", "agent_count", "opened_at",
        "acknowledged_by", "resolved_at",
    ]  # fmt: skip
    list_filter: ClassVar[list[str]] = ["state", "severity", "kind", "team"]
    list_select_related = ("owner", "acknowledged_by", "team", "called")
    search_fields: ClassVar[list[str]] = ["public_id", "title", "agent__name", "owner__email"]
    ordering = ("-opened_at",)
    inlines: ClassVar[list[Any]] = [TouchedInline, StoryInline]
    actions_detail: ClassVar[list[Any]] = ["take", "close"]

    take = button(
        Step("take", "Take it", "It escalates no further; others see who has it.", _take,
             asks_why=False)
    )  # fmt: skip
    close = button(
        Step("close", "It is over", "It opens anew if what it is about goes on.", _close)
    )


@admin.register(Check)
class CheckAdmin(GovernedAdmin):
    """One way in which an agent is watched; it is set on the agent's health page."""

    list_display: ClassVar[list[str]] = [
        "agent", "source", "kind", "status", "since", "reason", "host", "interval_seconds", "cron",
        "due_at", "seen_at",
    ]  # fmt: skip
    list_filter: ClassVar[list[str]] = ["source", "status", "kind", "origin", "is_proven"]
    list_select_related = ("agent",)
    search_fields: ClassVar[list[str]] = ["agent__name", "host", "cause"]
    ordering = ("-since",)


@admin.register(Mute)
class MuteAdmin(GovernedAdmin):
    """A time in which nobody is told."""

    list_display: ClassVar[list[str]] = [
        "public_id", "agent", "team", "starts_at", "ends_at", "ended_at", "reason", "set_by",
    ]  # fmt: skip
    list_filter: ClassVar[list[str]] = ["team"]
    list_select_related = ("agent", "team")
    search_fields: ClassVar[list[str]] = ["public_id", "agent__name", "team__name", "reason"]
    ordering = ("-starts_at",)
    actions_detail: ClassVar[list[Any]] = ["end"]

    end = button(Step("end", "End it", "People are told again.", _end, asks_why=False))


@admin.register(Rota)
class RotaAdmin(GovernedAdmin):
    """Who takes turns for a team; it is set on the team's page under On call."""

    list_display: ClassVar[list[str]] = [
        "public_id", "team", "starts_at", "zone", "handover_time", "length_days", "minutes",
        "set_by", "replaced_at",
    ]  # fmt: skip
    list_filter: ClassVar[list[str]] = ["team"]
    list_select_related = ("team",)
    search_fields: ClassVar[list[str]] = ["public_id", "team__name"]
    ordering = ("-starts_at",)


@admin.register(Cover)
class CoverAdmin(GovernedAdmin):
    """Somebody who has a team's duty for a stretch."""

    list_display: ClassVar[list[str]] = [
        "public_id", "team", "person", "instead_of", "starts_at", "ends_at", "ended_at", "set_by",
    ]  # fmt: skip
    list_filter: ClassVar[list[str]] = ["team"]
    list_select_related = ("team", "person", "instead_of")
    search_fields: ClassVar[list[str]] = ["public_id", "team__name", "person__email"]
    ordering = ("-starts_at",)
    actions_detail: ClassVar[list[Any]] = ["end"]

    end = button(Step("end", "End it", "The rota holds again.", _end_cover, asks_why=False))


@admin.register(StatusLink)
class StatusLinkAdmin(GovernedAdmin):
    """A link to the status page for people without an account."""

    list_display: ClassVar[list[str]] = [
        "public_id", "name", "scope", "team", "shows_agents", "created_at", "expires_at",
        "last_used_at", "revoked_at",
    ]  # fmt: skip
    exclude = ("digest", "pepper_id")
    list_filter: ClassVar[list[str]] = ["scope", "shows_agents", "team"]
    list_select_related = ("team",)
    search_fields: ClassVar[list[str]] = ["public_id", "name", "team__name"]
    ordering = ("-created_at",)
    actions_detail: ClassVar[list[Any]] = ["revoke"]

    revoke = button(
        Step("revoke", "Revoke", "Whoever has it sees nothing any more.", _revoke, asks_why=False,
             is_dangerous=True)
    )  # fmt: skip
