"""The addresses of the portal's pages about reviews."""

from __future__ import annotations

from django.urls import path

from approvals.views import absences, answers, channels, inbox, notices, together

app_name = "approvals"
urlpatterns = [
    path("account/absences/", absences.absences, name="absences"),
    path("account/absences/<str:absence>/end/", absences.end, name="absence-end"),
    path("account/notices/", notices.notices, name="notices"),
    path("answer/unsubscribe/<str:token>/", answers.unsubscribe, name="unsubscribe"),
    path("answer/<str:token>/", answers.answer, name="answer"),
    path("channels/", channels.channels, name="channels"),
    path("channels/new/", channels.new, name="channel-new"),
    path("channels/<str:channel>/", channels.channel, name="channel"),
    path("channels/<str:channel>/edit/", channels.edit, name="channel-edit"),
    path("channels/<str:channel>/rotate/", channels.rotate, name="channel-rotate"),
    path("channels/<str:channel>/test/", channels.attempt, name="channel-test"),
    path("channels/<str:channel>/pause/", channels.pause, name="channel-pause"),
    path("channels/<str:channel>/resume/", channels.resume, name="channel-resume"),
    path("channels/<str:channel>/remove/", channels.remove, name="channel-remove"),
    path("channels/<str:channel>/notices/<str:notice>/retry/", channels.retry, name="notice-retry"),
    path("reviews/", inbox.reviews, name="reviews"),
    path("reviews/fresh/", inbox.fresh, name="reviews-fresh"),
    path("reviews/together/", together.together, name="reviews-together"),
    path("reviews/<str:review>/preview/", inbox.preview, name="review-preview"),
    path("reviews/<str:review>/", inbox.review, name="review"),
    path("reviews/<str:review>/decide/", inbox.decide, name="review-decide"),
    path("reviews/<str:review>/withdraw/", inbox.withdraw, name="review-withdraw"),
]
