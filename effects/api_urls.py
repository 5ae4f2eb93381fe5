"""The REST addresses of what agents do outside, under /api/v1/."""

from __future__ import annotations

from effects.api import connections, interrupts, leases, proposals

urlpatterns = [
    *proposals.urlpatterns,
    *interrupts.urlpatterns,
    *leases.urlpatterns,
    *connections.urlpatterns,
]
