"""The addresses of the web process: portal, admin, REST, probes.

Each app owns its own list; this module only says where a list hangs.
"""

from __future__ import annotations

from importlib.util import find_spec

from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path
from django.views.generic import RedirectView

from config import health
from config.parts import APPS
from fleet.agent_urls import urlpatterns as about_agents
from registry.api.schema import agent_schema
from registry.urls import urlpatterns as about_people

handler400 = "config.faults.bad_request"
handler403 = "config.faults.permission_denied"
handler404 = "config.faults.page_not_found"
handler500 = "config.faults.server_error"


def portal_lists() -> list[URLPattern | URLResolver]:
    """The HTML addresses of every app that has some."""
    # Pages about agents show calls and costs, so fleet makes them; they keep the names of
    # the registry, where every template looks for an agent.
    named: list[URLPattern | URLResolver] = [
        path("", include(([*about_people, *about_agents], "registry")))
    ]
    # The registry's stand above, under its name.
    apps = [app for app in APPS if app != "registry" and find_spec(f"{app}.urls")]
    return named + [path("", include(f"{app}.urls")) for app in apps]


urlpatterns = [
    path("healthz", health.healthz, name="healthz"),
    path("readyz", health.readyz, name="readyz"),
    # One way in: the brake on guessing and the one-time links are there.
    path("admin/login/", RedirectView.as_view(pattern_name="registry:signin", query_string=True)),
    path("admin/", admin.site.urls),
    path("api/v1/", include("config.api_urls")),
    path("schemas/agent-v1.json", agent_schema, name="agent-schema"),
    *portal_lists(),
]
