"""Its REST addresses, under /api/v1/."""

from __future__ import annotations

from fleet.drift.api import plans, prices

urlpatterns = [*plans.urlpatterns, *prices.urlpatterns]
