from __future__ import annotations

from django.apps import AppConfig


class CutoversConfig(AppConfig):
    name = "fleet.cutovers"
    label = "cutovers"
    default_auto_field = "django.db.models.BigAutoField"
