"""The story of proposals, for graphs."""

from __future__ import annotations

from tests.effects.proposals.conftest import story

__all__ = ["story"]
