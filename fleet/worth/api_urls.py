"""Its REST addresses, under /api/v1/."""

from __future__ import annotations

from fleet.worth.api import groups, lists

urlpatterns = [*lists.urlpatterns, *groups.urlpatterns]
