"""The addresses of its pages."""

from __future__ import annotations

from django.urls import path

from fleet.discovery.views import findings, intake

app_name = "discovery"
urlpatterns = [
    path("unregistered/", findings.findings, name="findings"),
    path("unregistered/sources/", intake.sources, name="sources"),
    path("unregistered/sources/new/", intake.new, name="source-new"),
    path("unregistered/sources/<str:source>/read/", intake.read_now, name="source-read"),
    path("unregistered/sources/<str:source>/remove/", intake.remove, name="source-remove"),
    path("unregistered/readings/<str:reading>/", intake.reading, name="reading"),
    path("unregistered/readings/<str:reading>/cancel/", intake.cancel, name="reading-cancel"),
    path("unregistered/<str:finding>/", findings.finding, name="finding"),
    path("unregistered/<str:finding>/assign/", findings.assign, name="finding-assign"),
    path("unregistered/<str:finding>/merge/", findings.merge, name="finding-merge"),
    path("unregistered/<str:finding>/block/", findings.block, name="finding-block"),
    path("unregistered/<str:finding>/dismiss/", findings.dismiss, name="finding-dismiss"),
    path("unregistered/<str:finding>/hand-back/", findings.hand_back, name="finding-hand-back"),
    path("unregistered/<str:finding>/reopen/", findings.reopen, name="finding-reopen"),
]
