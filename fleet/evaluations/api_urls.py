"""Its REST addresses, under /api/v1/."""

from __future__ import annotations

from django.urls import URLPattern

from fleet.evaluations.api import evaluations, golden

urlpatterns: list[URLPattern] = [*evaluations.urlpatterns, *golden.urlpatterns]
