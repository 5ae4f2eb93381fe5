"""The REST addresses of reviews, and of what opens one."""

from __future__ import annotations

from approvals.api import channels, reviews

urlpatterns = [*reviews.urlpatterns, *channels.urlpatterns]
