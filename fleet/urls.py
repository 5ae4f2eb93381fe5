"""The addresses of the pages about the fleet as a whole."""

from __future__ import annotations

from django.urls import path

from fleet.views import home, ledger

app_name = "fleet"
urlpatterns = [
    path("", home.home, name="home"),
    path("home/use/", home.use, name="home-use"),
    path("ledger/", ledger.ledger, name="ledger"),
]
