from __future__ import annotations

from django.apps import AppConfig


class RegistryConfig(AppConfig):
    name = "registry"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from auditlog.registry import auditlog

        from registry.models import Agent, Person, Team

        # What people change on forms, field by field, for the admin; never the evidence.
        auditlog.register(Person, exclude_fields=["password", "last_login"])
        auditlog.register(Team)
        auditlog.register(Agent, exclude_fields=["searchable"])
