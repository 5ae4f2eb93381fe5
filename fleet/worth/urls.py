"""The addresses of its pages."""

from __future__ import annotations

from django.urls import path

from fleet.worth.views import groups, lists

app_name = "worth"
urlpatterns = [
    path("worth/", lists.worth, name="quarter"),
    path("worth/make/", lists.make, name="make"),
    path("worth/lists/<str:quarter>/", lists.quarter, name="list"),
    path("worth/lists/<str:quarter>/csv/", lists.as_csv, name="list-csv"),
    path("worth/listed/<str:listed>/", lists.listed, name="listed"),
    path("worth/listed/<str:listed>/answer/", lists.answer, name="answer"),
    path("worth/listed/<str:listed>/decide/", lists.decide, name="decide"),
    path("worth/duplicates/", groups.groups, name="duplicates"),
    path("worth/duplicates/<str:group>/", groups.group, name="group"),
    path("worth/duplicates/<str:group>/confirm/", groups.confirm, name="group-confirm"),
    path("worth/duplicates/<str:group>/separate/", groups.separate, name="group-separate"),
    path("worth/duplicates/<str:group>/reopen/", groups.reopen, name="group-reopen"),
]
