"""The ledger in the admin: entries, the heads of chains, and who writes; never a payload."""

from __future__ import annotations

import json
from typing import ClassVar

from django.contrib import admin
from django.utils.html import format_html

from kernel.admin import GovernedAdmin
from ledger.models import ChainHead, Entry, Writer


@admin.register(Entry)
class EntryAdmin(GovernedAdmin):
    """One thing that happened, with the bytes that are hashed."""

    list_display: ClassVar[list[str]] = [
        "entry_id", "kind", "verb", "actor", "subject", "stream", "recorded_at",
    ]  # fmt: skip
    list_filter: ClassVar[list[str]] = ["kind"]
    search_fields: ClassVar[list[str]] = ["=entry_id", "=stream", "=agent_id", "=subject"]
    search_help_text = "A whole id: of an entry, a stream, an agent or a subject"
    ordering = ("-id",)
    fields: ClassVar[list[str]] = [
        "entry_id", "stream", "writer", "seq", "kind", "verb", "actor", "subject", "agent_id",
        "intent_id", "recorded_at", "leaf", "previous", "document",
    ]  # fmt: skip
    readonly_fields: ClassVar[list[str]] = ["leaf", "previous", "document"]

    @admin.display(description="Leaf hash")
    def leaf(self, entry: Entry) -> str:
        return bytes(entry.leaf_hash).hex()

    @admin.display(description="Leaf hash before it")
    def previous(self, entry: Entry) -> str:
        return bytes(entry.prev_hash).hex()

    @admin.display(description="Header")
    def document(self, entry: Entry) -> str:
        text = json.dumps(json.loads(bytes(entry.header)), indent=2, ensure_ascii=False)
        return format_html("<pre>{}</pre>", text)


@admin.register(ChainHead)
class ChainHeadAdmin(GovernedAdmin):
    """Where a chain that many extend ends."""

    list_display: ClassVar[list[str]] = ["stream", "writer", "seq"]
    search_fields: ClassVar[list[str]] = ["=stream"]
    ordering = ("-id",)
    fields: ClassVar[list[str]] = ["stream", "writer", "seq"]


@admin.register(Writer)
class WriterAdmin(GovernedAdmin):
    """A process that extends chains alone."""

    list_display: ClassVar[list[str]] = ["writer", "process", "heartbeat_at", "closed_at"]
    ordering = ("-started_at",)
