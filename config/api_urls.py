"""Everything under /api/v1/: the lists of the apps, the schema, and its offline viewer."""

from __future__ import annotations

from importlib.util import find_spec

from django.urls import URLPattern, URLResolver, include, path
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView

from config.parts import APPS


def resource_lists() -> list[URLPattern | URLResolver]:
    """The REST addresses of every app that has some."""
    return [path("", include(f"{app}.api_urls")) for app in APPS if find_spec(f"{app}.api_urls")]


urlpatterns = [
    path("schema/", SpectacularAPIView.as_view(), name="schema"),
    path("docs/", SpectacularSwaggerSplitView.as_view(url_name="schema"), name="docs"),
    *resource_lists(),
]
