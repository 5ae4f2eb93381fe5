from __future__ import annotations

from django.apps import AppConfig


class WorthConfig(AppConfig):
    name = "fleet.worth"
    label = "worth"
    default_auto_field = "django.db.models.BigAutoField"
