"""The addresses of the pages about exports, targets and feeds."""

from __future__ import annotations

from django.urls import path

from outlets.views import exports, feeds, targets

app_name = "outlets"
urlpatterns = [
    path("exports/", exports.exports, name="exports"),
    path("exports/new/", exports.new, name="export-new"),
    path("exports/targets/", targets.targets, name="targets"),
    path("exports/targets/new/", targets.new, name="target-new"),
    path("exports/targets/<str:target>/", targets.target, name="target"),
    path("exports/targets/<str:target>/remove/", targets.remove, name="target-remove"),
    path("exports/schedules/<str:schedule>/end/", targets.end, name="schedule-end"),
    path("exports/<str:export>/", exports.export, name="export"),
    path("exports/<str:export>/cancel/", exports.cancel, name="export-cancel"),
    path("feeds/", feeds.feeds, name="feeds"),
    path("feeds/new/", feeds.new, name="feed-new"),
    path("feeds/<str:feed>/", feeds.feed, name="feed"),
    path("feeds/<str:feed>/pause/", feeds.pause, name="feed-pause"),
    path("feeds/<str:feed>/resume/", feeds.resume, name="feed-resume"),
    path("feeds/<str:feed>/test/", feeds.attempt, name="feed-test"),
    path("feeds/<str:feed>/remove/", feeds.remove, name="feed-remove"),
]
