"""The REST addresses of the policy, under /api/v1/."""

from __future__ import annotations

from rules.api import trials

urlpatterns = [*trials.urlpatterns]
