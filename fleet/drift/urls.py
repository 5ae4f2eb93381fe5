"""The addresses of its pages."""

from __future__ import annotations

from django.urls import path

from fleet.drift.views import watches as pages

app_name = "drift"
urlpatterns = [path("drift/", pages.watches, name="watches")]
