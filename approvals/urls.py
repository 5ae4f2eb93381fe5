"""The addresses of the portal's pages about reviews."""

from __future__ import annotations

from django.urls import path

from approvals import views

app_name = "approvals"
urlpatterns = [
    path("reviews/", views.reviews, name="reviews"),
    path("reviews/<str:review>/", views.review, name="review"),
    path("reviews/<str:review>/decide/", views.decide, name="review-decide"),
    path("reviews/<str:review>/withdraw/", views.withdraw, name="review-withdraw"),
]
