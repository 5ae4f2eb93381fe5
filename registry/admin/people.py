"""People and teams in the admin."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib import admin
from django.contrib.auth.models import Group

from kernel.admin import GovernedAdmin
from registry.actions import people as act
from registry.actors import Actor
from registry.admin.changes import RememberedAdmin
from registry.buttons import Step, button
from registry.models import Person, PersonToken, Team

# Rights are roles; Django's groups would grant nothing.
admin.site.unregister(Group)


def _deactivate(person: Person, actor: Actor, reason: str) -> object:
    return act.deactivate_person(person, actor=actor)


def _reactivate(person: Person, actor: Actor, reason: str) -> object:
    return act.reactivate_person(person, actor=actor)


def _revoke(token: PersonToken, actor: Actor, reason: str) -> object:
    return act.revoke_token(token.person, token.public_id, actor=actor)


@admin.register(Person)
class PersonAdmin(RememberedAdmin):
    """Somebody with an account."""

    list_display: ClassVar[list[str]] = ["email", "name", "team", "roles", "deactivated_at"]
    list_filter: ClassVar[list[str]] = ["team"]
    list_select_related = ("team",)
    search_fields: ClassVar[list[str]] = ["email", "name", "public_id"]
    ordering = ("email",)
    fields: ClassVar[list[str]] = [
        "public_id", "email", "name", "team", "roles", "time_zone",
        "last_login", "created_at", "deactivated_at",
    ]  # fmt: skip
    actions_detail: ClassVar[list[Any]] = ["deactivate", "reactivate"]

    deactivate = button(
        Step(
            "deactivate",
            "Deactivate",
            "Every session, token and sign-in link ends now. Agents go on working and need"
            " another owner.",
            _deactivate,
            icon="person_off",
            is_dangerous=True,
            asks_why=False,
        )
    )
    reactivate = button(
        Step(
            "reactivate",
            "Reactivate",
            "The account opens with the same roles. Nothing old works; make a sign-in link.",
            _reactivate,
            icon="person_check",
            asks_why=False,
        )
    )


@admin.register(Team)
class TeamAdmin(RememberedAdmin):
    """A group that people and agents belong to."""

    list_display: ClassVar[list[str]] = ["name", "slug", "created_at"]
    search_fields: ClassVar[list[str]] = ["name", "slug"]
    ordering = ("name",)


@admin.register(PersonToken)
class PersonTokenAdmin(GovernedAdmin):
    """What may act for a person; never its text."""

    list_display: ClassVar[list[str]] = [
        "public_id", "person", "name", "roles", "expires_at", "revoked_at", "last_used_at",
    ]  # fmt: skip
    list_select_related = ("person",)
    search_fields: ClassVar[list[str]] = ["public_id", "name", "person__email"]
    ordering = ("-id",)
    fields: ClassVar[list[str]] = [
        "public_id", "person", "name", "roles", "parent",
        "created_at", "expires_at", "revoked_at", "last_used_at",
    ]  # fmt: skip
    actions_detail: ClassVar[list[Any]] = ["revoke"]

    revoke = button(
        Step(
            "revoke",
            "Revoke",
            "The token is refused at once, and every token that was issued with it.",
            _revoke,
            icon="key_off",
            is_dangerous=True,
            asks_why=False,
        )
    )
