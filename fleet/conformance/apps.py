from __future__ import annotations

from django.apps import AppConfig


class ConformanceConfig(AppConfig):
    name = "fleet.conformance"
    label = "conformance"
    default_auto_field = "django.db.models.BigAutoField"
