"""The REST addresses of the registry; each resource lists its own."""

from __future__ import annotations

from registry.api import me, people

urlpatterns = [*people.urlpatterns, *me.urlpatterns]
