"""The addresses of its pages."""

from __future__ import annotations

from django.urls import URLPattern

app_name = "retiring"
urlpatterns: list[URLPattern] = []
