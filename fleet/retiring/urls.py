"""The addresses of its pages."""

from __future__ import annotations

from django.urls import path

from fleet.retiring.views import retirements as pages

app_name = "retiring"
_ONE = "retirements-of-agents/<str:public_id>"
urlpatterns = [
    path("retirements-of-agents/", pages.retirements, name="retirements"),
    path("retirements-of-agents/plan/", pages.plan, name="plan"),
    path(f"{_ONE}/", pages.retirement, name="retirement"),
    path(f"{_ONE}/cancel/", pages.cancel, name="cancel"),
    path(f"{_ONE}/restore/", pages.restore, name="restore"),
]
