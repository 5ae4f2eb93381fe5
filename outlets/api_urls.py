"""The REST addresses of the outlets, under /api/v1/."""

from __future__ import annotations

from outlets.api import exports, feeds, targets

urlpatterns = [*exports.urlpatterns, *feeds.urlpatterns, *targets.urlpatterns]
