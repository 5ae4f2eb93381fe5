"""Its REST addresses, under /api/v1/."""

from __future__ import annotations

from django.urls import URLPattern

from fleet.campaigns.api import calendar, campaigns, impact, moves

urlpatterns: list[URLPattern] = [
    *calendar.urlpatterns,
    *campaigns.urlpatterns,
    *moves.urlpatterns,
    *impact.urlpatterns,
]
