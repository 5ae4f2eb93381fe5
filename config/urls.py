"""The addresses of the web process: portal, admin, REST, probes.

Each app owns its own list; this module only says where a list hangs.
"""

from __future__ import annotations

from importlib.util import find_spec

from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path

from config import health
from registry.api.schema import agent_schema

handler400 = "config.faults.bad_request"
handler403 = "config.faults.permission_denied"
handler404 = "config.faults.page_not_found"
handler500 = "config.faults.server_error"


def portal_lists() -> list[URLPattern | URLResolver]:
    """The HTML addresses of every app that has some."""
    apps = ("fleet", "registry", "approvals", "routing")
    return [path("", include(f"{app}.urls")) for app in apps if find_spec(f"{app}.urls")]


urlpatterns = [
    path("healthz", health.healthz, name="healthz"),
    path("readyz", health.readyz, name="readyz"),
    path("admin/", admin.site.urls),
    path("api/v1/", include("config.api_urls")),
    path("schemas/agent-v1.json", agent_schema, name="agent-schema"),
    *portal_lists(),
]
