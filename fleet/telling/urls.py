"""The addresses of its pages."""

from __future__ import annotations

from django.urls import URLPattern, path

from fleet.telling.views import notices

app_name = "telling"
urlpatterns: list[URLPattern] = [
    path("notices/", notices.notices, name="notices"),
    path("notices/read/", notices.read, name="read"),
    path("notices/<str:notice>/", notices.notice, name="notice"),
]
