"""The addresses of its pages."""

from __future__ import annotations

from django.urls import path

from fleet.cutovers.views import beginning
from fleet.cutovers.views import cutovers as views

app_name = "cutovers"
DEEDS = ("sign", "start", "advance", "pause", "resume", "cancel", "settle", "roll-back")
urlpatterns = [
    path("cutovers/", views.cutovers, name="cutovers"),
    path("cutovers/new/", beginning.begin, name="begin"),
    path("cutovers/<str:cutover>/", views.cutover, name="cutover"),
    *(
        path(f"cutovers/<str:cutover>/{deed}/", views.act, {"deed": deed}, name=deed)
        for deed in DEEDS
    ),
]
