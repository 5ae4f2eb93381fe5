"""Its REST addresses, under /api/v1/."""

from __future__ import annotations

from fleet.drift.api.plans import urlpatterns

__all__ = ["urlpatterns"]
