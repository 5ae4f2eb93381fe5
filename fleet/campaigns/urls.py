"""The addresses of its pages."""

from __future__ import annotations

from django.urls import URLPattern, path

from fleet.campaigns.views import calendar, campaigns, moves

app_name = "campaigns"
_ONE = "campaigns/<str:campaign>/moves/<str:move>/"
urlpatterns: list[URLPattern] = [
    path("campaigns/", campaigns.campaigns, name="campaigns"),
    path("campaigns/new/", campaigns.new, name="new"),
    path("campaigns/<str:campaign>/", campaigns.campaign, name="campaign"),
    path("campaigns/<str:campaign>/close/", campaigns.close, name="close"),
    path("campaigns/<str:campaign>/group/", moves.group, name="group"),
    path(_ONE, moves.move, name="move"),
    path(f"{_ONE}choose/", moves.choose, name="choose"),
    path(f"{_ONE}evaluate/", moves.evaluate, name="evaluate"),
    path(f"{_ONE}begin/", moves.begin, name="begin"),
    path(f"{_ONE}fallback/", moves.fallback, name="fallback"),
    path(f"{_ONE}contest/", moves.contest, name="contest"),
    path(f"{_ONE}answer/", moves.answer, name="answer"),
    path("retirements/", calendar.calendar, name="calendar"),
    path("retirements/calendar.ics", calendar.calendar_ics, name="calendar-file"),
    path("retirements/calendar.json", calendar.calendar_json, name="calendar-json"),
]
