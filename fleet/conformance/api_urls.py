"""Its REST addresses, under /api/v1/."""

from __future__ import annotations

from fleet.conformance.api import conformity

urlpatterns = [*conformity.urlpatterns]
