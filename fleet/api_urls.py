"""The REST addresses of the fleet, under /api/v1/."""

from __future__ import annotations

from fleet.api import summary

urlpatterns = [*summary.urlpatterns]
