"""The addresses of its pages."""

from __future__ import annotations

from django.urls import path

from fleet.drift.views import limits, plans, prices
from fleet.drift.views import watches as pages

app_name = "drift"
urlpatterns = [
    path("drift/", pages.watches, name="watches"),
    path("drift/prices/", prices.prices, name="prices"),
    path("drift/prices/<str:change>/", prices.price, name="price"),
    path("drift/limits/", limits.limits, name="limits"),
    path("drift/limits/<str:change>/", limits.limit, name="limit"),
    path("drift/watches/<str:watch>/", plans.watch, name="watch"),
    path("drift/watches/<str:watch>/probes/new/", plans.add, name="plan-new"),
    path("drift/probes/<str:plan>/change/", plans.change, name="plan-change"),
    path("drift/probes/<str:plan>/<str:what>/", plans.act, name="plan-act"),
]
