from __future__ import annotations

from django.apps import AppConfig


class HealthConfig(AppConfig):
    name = "fleet.health"
    label = "health"
    default_auto_field = "django.db.models.BigAutoField"
