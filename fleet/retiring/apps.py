from __future__ import annotations

from django.apps import AppConfig


class RetiringConfig(AppConfig):
    name = "fleet.retiring"
    label = "retiring"
    default_auto_field = "django.db.models.BigAutoField"
