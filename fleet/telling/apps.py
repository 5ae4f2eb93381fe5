from __future__ import annotations

from django.apps import AppConfig


class TellingConfig(AppConfig):
    name = "fleet.telling"
    label = "telling"
    default_auto_field = "django.db.models.BigAutoField"
