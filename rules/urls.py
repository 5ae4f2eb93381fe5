"""The addresses of the pages about the policy."""

from __future__ import annotations

from django.urls import path

from rules.views import trials

app_name = "rules"
urlpatterns = [
    path("policy/<str:policy>/trials/", trials.trials, name="trials"),
    path("policy/<str:policy>/trials/new/", trials.ask, name="trial-ask"),
    path("policy/<str:policy>/trials/<str:trial>/", trials.trial, name="trial"),
    path("policy/<str:policy>/trials/<str:trial>/file/", trials.table, name="trial-file"),
    path("policy/<str:policy>/trials/<str:trial>/cancel/", trials.cancel, name="trial-cancel"),
]
