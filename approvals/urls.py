"""The addresses of the portal's pages about reviews."""

from __future__ import annotations

from django.urls import path

from approvals.views import absences, inbox, together

app_name = "approvals"
urlpatterns = [
    path("account/absences/", absences.absences, name="absences"),
    path("account/absences/<str:absence>/end/", absences.end, name="absence-end"),
    path("reviews/", inbox.reviews, name="reviews"),
    path("reviews/fresh/", inbox.fresh, name="reviews-fresh"),
    path("reviews/together/", together.together, name="reviews-together"),
    path("reviews/<str:review>/preview/", inbox.preview, name="review-preview"),
    path("reviews/<str:review>/", inbox.review, name="review"),
    path("reviews/<str:review>/decide/", inbox.decide, name="review-decide"),
    path("reviews/<str:review>/withdraw/", inbox.withdraw, name="review-withdraw"),
]
