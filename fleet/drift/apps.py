from __future__ import annotations

from django.apps import AppConfig


class DriftConfig(AppConfig):
    name = "fleet.drift"
    label = "drift"
    default_auto_field = "django.db.models.BigAutoField"
