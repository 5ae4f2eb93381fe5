"""The registry's part of the admin: people and teams, agents and keys, what changed on forms."""

from __future__ import annotations

from registry.admin import agents, changes, people

__all__ = ["agents", "changes", "people"]
