"""The addresses of its pages."""

from __future__ import annotations

from django.urls import URLPattern

app_name = "health"
urlpatterns: list[URLPattern] = []
