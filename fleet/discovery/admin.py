"""Findings, sources and readings in the admin: to look things up; what is decided has buttons."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib import admin

from fleet.discovery.actions.deciding import block_finding, dismiss_finding, reopen_finding
from fleet.discovery.models import Evidence, Finding, NamedModel, Reading, Source
from kernel.admin import GovernedAdmin, GovernedInline
from registry.actors import Actor
from registry.buttons import Step, button


def _block(finding: Finding, actor: Actor, reason: str) -> object:
    return block_finding(finding, actor=actor, reason=reason)


def _dismiss(finding: Finding, actor: Actor, reason: str) -> object:
    return dismiss_finding(finding, actor=actor, reason=reason)


def _reopen(finding: Finding, actor: Actor, reason: str) -> object:
    return reopen_finding(finding, actor=actor, reason=reason)


class EvidenceInline(GovernedInline):
    """What says so."""

    model = Evidence
    fields: ClassVar[list[str]] = ["source", "summary", "confidence", "calls", "last_seen_at"]


class NamedModelInline(GovernedInline):
    """The places that name models."""

    model = NamedModel
    fields: ClassVar[list[str]] = ["path", "line", "model_id", "is_weak", "retires_on"]


@admin.register(Finding)
class FindingAdmin(GovernedAdmin):
    """Something that calls models and is no agent of the registry."""

    list_display: ClassVar[list[str]] = [
        "title", "kind", "state", "risk", "owner", "retires_on", "due_on", "last_seen_at",
    ]  # fmt: skip
    list_filter: ClassVar[list[str]] = ["state", "kind", "vendor"]
    list_select_related = ("owner",)
    search_fields: ClassVar[list[str]] = ["title", "public_id", "vendor", "owner__email"]
    ordering = ("-risk", "-public_id")
    inlines: ClassVar[list[Any]] = [EvidenceInline, NamedModelInline]
    actions_detail: ClassVar[list[Any]] = ["block", "dismiss", "reopen"]

    block = button(
        Step("block", "It was blocked", "Say what was done. Seen again, it comes back.", _block)
    )
    dismiss = button(
        Step("dismiss", "Dismiss", "Other evidence brings it back.", _dismiss, is_dangerous=True)
    )
    reopen = button(Step("reopen", "Open again", "It waits for an owner again.", _reopen))


@admin.register(Source)
class SourceAdmin(GovernedAdmin):
    """A connected account; its key is no field of it."""

    list_display: ClassVar[list[str]] = ["name", "kind", "base_url", "next_at", "failure"]
    list_filter: ClassVar[list[str]] = ["kind"]
    search_fields: ClassVar[list[str]] = ["name", "public_id"]


@admin.register(Reading)
class ReadingAdmin(GovernedAdmin):
    """One reading of a file or account."""

    list_display: ClassVar[list[str]] = [
        "title", "kind", "state", "found", "seen_again", "malformed", "asked_at",
    ]  # fmt: skip
    list_filter: ClassVar[list[str]] = ["state", "kind"]
    search_fields: ClassVar[list[str]] = ["title", "public_id"]
    ordering = ("-asked_at",)
