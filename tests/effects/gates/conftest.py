"""The story of proposals, for operations with checks."""

from __future__ import annotations

from tests.effects.proposals.conftest import story

__all__ = ["story"]
