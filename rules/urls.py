"""The addresses of the pages about policies, trials and grants."""

from __future__ import annotations

from django.urls import path

from rules.views import grants, policies, trials, trying

app_name = "rules"
urlpatterns = [
    path("policies/<str:policy>/trials/", trials.trials, name="trials"),
    path("policies/<str:policy>/trials/new/", trials.ask, name="trial-ask"),
    path("policies/<str:policy>/trials/<str:trial>/", trials.trial, name="trial"),
    path("policies/<str:policy>/trials/<str:trial>/file/", trials.table, name="trial-file"),
    path("policies/<str:policy>/trials/<str:trial>/cancel/", trials.cancel, name="trial-cancel"),
    path("policies/", policies.policies, name="policies"),
    path("policies/new/", policies.new, name="policy-new"),
    path("policies/try/", trying.attempt, name="policy-try"),
    path("policies/grants/", grants.grants, name="grants"),
    path("policies/grants/new", grants.new, name="grant-new"),
    path("policies/grants/<str:grant>/revoke/", grants.revoke, name="grant-revoke"),
    path("policies/<str:policy>/", policies.policy, name="policy"),
    path("policies/<str:policy>/settings/", policies.settings, name="policy-settings"),
]
