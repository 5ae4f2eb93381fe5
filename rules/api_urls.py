"""The REST addresses of policies, grants and trials, under /api/v1/."""

from __future__ import annotations

from rules.api import grants, policies, trials

urlpatterns = [*trials.urlpatterns, *policies.urlpatterns, *grants.urlpatterns]
