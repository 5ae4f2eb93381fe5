"""Its REST addresses, under /api/v1/."""

from __future__ import annotations

from fleet.cutovers.api.cutovers import urlpatterns

__all__ = ["urlpatterns"]
