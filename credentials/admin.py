"""Sealed secrets in the admin: that they exist, for whom and since when; never what they say."""

from __future__ import annotations

from typing import ClassVar

from django.contrib import admin

from credentials.models import RingRotation, Secret
from kernel.admin import GovernedAdmin


@admin.register(Secret)
class SecretAdmin(GovernedAdmin):
    """One version of a secret for one holder."""

    list_display: ClassVar[list[str]] = [
        "public_id", "ring", "holder", "version", "created_at", "retired_at",
    ]  # fmt: skip
    list_filter: ClassVar[list[str]] = ["ring"]
    search_fields: ClassVar[list[str]] = ["=public_id", "=holder"]
    ordering = ("-id",)
    fields: ClassVar[list[str]] = [
        "public_id", "ring", "holder", "version", "ring_key_id",
        "created_by", "created_at", "retired_at",
    ]  # fmt: skip


@admin.register(RingRotation)
class RingRotationAdmin(GovernedAdmin):
    """One change of a ring's keys."""

    list_display: ClassVar[list[str]] = ["ring", "ring_key_id", "started_at", "finished_at"]
    list_filter: ClassVar[list[str]] = ["ring"]
    ordering = ("-started_at",)
