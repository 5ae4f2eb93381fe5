"""Its REST addresses, under /api/v1/."""

from __future__ import annotations

from django.urls import URLPattern

from fleet.health.api import heartbeats, incidents, publishing, rotas, standing

urlpatterns: list[URLPattern] = [
    *heartbeats.urlpatterns,
    *standing.urlpatterns,
    *incidents.urlpatterns,
    *publishing.urlpatterns,
    *rotas.urlpatterns,
]
