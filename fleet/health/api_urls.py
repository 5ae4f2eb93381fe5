"""Its REST addresses, under /api/v1/."""

from __future__ import annotations

from django.urls import URLPattern

from fleet.health.api import heartbeats, incidents, rotas, standing

urlpatterns: list[URLPattern] = [
    *heartbeats.urlpatterns,
    *standing.urlpatterns,
    *incidents.urlpatterns,
    *rotas.urlpatterns,
]
