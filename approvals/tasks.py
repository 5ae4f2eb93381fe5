"""The sweep that ends what nobody decided."""

from __future__ import annotations

from celery import shared_task

from approvals.actions import expire_reviews as end_expired
from registry.actors import Actor


@shared_task(name="approvals.expire_reviews")  # type: ignore[untyped-decorator]  # no types
def expire_reviews() -> None:
    """End every open review whose time is up; safe to run at any moment, any number of times."""
    end_expired(actor=Actor.system("review-expiry"))
