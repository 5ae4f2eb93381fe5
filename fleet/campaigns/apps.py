from __future__ import annotations

from django.apps import AppConfig


class CampaignsConfig(AppConfig):
    name = "fleet.campaigns"
    label = "campaigns"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        # Web lays these steps out and the worker carries them out: both know them from here.
        from fleet.campaigns.actions.bulk_moves import STEPS
        from fleet.retiring.actions.bulk_steps import offer

        offer(*STEPS)
