"""Health in the admin: incidents, checks, mutes, rotas and links, and steps for many at once."""

from __future__ import annotations

from fleet.health.admin import registered, together

__all__ = ["registered", "together"]
