"""The REST addresses of reviews, and of what opens one."""

from __future__ import annotations

from approvals.api.reviews import urlpatterns

__all__ = ["urlpatterns"]
