"""What people are told: a message, and one copy of it for each receiver."""

from __future__ import annotations

from fleet.telling.models.message import Copy, Message

__all__ = ["Copy", "Message"]
