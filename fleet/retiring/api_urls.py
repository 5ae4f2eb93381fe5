"""Its REST addresses, under /api/v1/."""

from __future__ import annotations

from fleet.retiring.api import batches, retirements

urlpatterns = [*retirements.urlpatterns, *batches.urlpatterns]
