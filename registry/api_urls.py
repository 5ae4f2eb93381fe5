"""The REST addresses of the registry; each resource lists its own."""

from __future__ import annotations

from registry.api import agents, keys, me, people, versions

urlpatterns = [
    *people.urlpatterns,
    *me.urlpatterns,
    *agents.urlpatterns,
    *versions.urlpatterns,
    *keys.urlpatterns,
]
