from __future__ import annotations

from django.apps import AppConfig


class ConfigConfig(AppConfig):
    name = "config"
    verbose_name = "Unsprawl"

    def ready(self) -> None:
        # The Celery app must exist before any shared task is rung.
        from config import celery, checks, wiring  # noqa: F401  importing registers

        celery.app.set_default()
        wiring.bind()
