"""What people fill in about health: checks and mutes here, rotas beside them."""

from __future__ import annotations

from fleet.health.forms.checks import CheckForm, MuteForm, RunbookForm, WindowForm

__all__ = ["CheckForm", "MuteForm", "RunbookForm", "WindowForm"]
