"""Its REST addresses, under /api/v1/."""

from __future__ import annotations

from fleet.retiring.api import retirements

urlpatterns = [*retirements.urlpatterns]
