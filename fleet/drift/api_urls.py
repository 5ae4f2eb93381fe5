"""Its REST addresses, under /api/v1/."""

from __future__ import annotations

from fleet.drift.api import limits, plans, prices

urlpatterns = [*limits.urlpatterns, *plans.urlpatterns, *prices.urlpatterns]
