"""The addresses of its pages."""

from __future__ import annotations

from django.urls import URLPattern, path

from fleet.campaigns.views import calendar

app_name = "campaigns"
urlpatterns: list[URLPattern] = [
    path("retirements/", calendar.calendar, name="calendar"),
    path("retirements/calendar.ics", calendar.calendar_ics, name="calendar-file"),
    path("retirements/calendar.json", calendar.calendar_json, name="calendar-json"),
]
