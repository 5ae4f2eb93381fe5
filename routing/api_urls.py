"""The REST addresses of routing, under /api/v1/."""

from __future__ import annotations

from routing.api import (
    budgets,
    catalogue,
    detectors,
    keeping,
    lifecycle,
    log,
    models,
    receipts,
    routes,
    runs,
    stops,
    usage,
    vendors,
)

urlpatterns = [
    *vendors.urlpatterns,
    *models.urlpatterns,
    *lifecycle.urlpatterns,
    *catalogue.urlpatterns,
    *routes.urlpatterns,
    *budgets.urlpatterns,
    *detectors.urlpatterns,
    *keeping.urlpatterns,
    *receipts.urlpatterns,
    *log.urlpatterns,
    *runs.urlpatterns,
    *stops.urlpatterns,
    *usage.urlpatterns,
]
