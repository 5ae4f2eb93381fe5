"""Its REST addresses, under /api/v1/."""

from __future__ import annotations

from fleet.discovery.api import findings, intake

urlpatterns = [*findings.urlpatterns, *intake.urlpatterns]
