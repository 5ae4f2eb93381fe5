"""The addresses of its pages."""

from __future__ import annotations

from django.urls import URLPattern, path

from fleet.campaigns.views import calendar, campaign, campaigns, groups, impact, moves

app_name = "campaigns"
_ONE = "campaigns/<str:campaign>/moves/<str:move>/"
urlpatterns: list[URLPattern] = [
    path("campaigns/", campaigns.campaigns, name="campaigns"),
    path("campaigns/new/", campaigns.new, name="new"),
    path("campaigns/<str:campaign>/", campaign.campaign, name="campaign"),
    path("campaigns/<str:campaign>/change/", campaign.change, name="change"),
    path("campaigns/<str:campaign>/close/", campaign.close, name="close"),
    path("campaigns/<str:campaign>/group/", groups.group, name="group"),
    path(_ONE, moves.move, name="move"),
    path(f"{_ONE}choose/", moves.choose, name="choose"),
    path(f"{_ONE}evaluate/", moves.evaluate, name="evaluate"),
    path(f"{_ONE}begin/", moves.begin, name="begin"),
    path(f"{_ONE}fallback/", moves.fallback, name="fallback"),
    path(f"{_ONE}contest/", moves.contest, name="contest"),
    path(f"{_ONE}adapt/", moves.adapt, name="adapt"),
    path(f"{_ONE}answer/", moves.answer, name="answer"),
    path(f"{_ONE}pause/", moves.pause, name="pause"),
    path(f"{_ONE}resume/", moves.resume, name="resume"),
    path("models/<str:model>/impact/", impact.impact, name="impact"),
    path("models/<str:model>/impact.csv", impact.impact_csv, name="impact-csv"),
    path("retirements/", calendar.calendar, name="calendar"),
    path("retirements/calendar.ics", calendar.calendar_ics, name="calendar-file"),
    path("retirements/calendar.json", calendar.calendar_json, name="calendar-json"),
]
