"""The sweeps that end what nobody decided, and that tell the channels."""

from __future__ import annotations

from celery import shared_task

from approvals.actions import expire_reviews as end_expired
from approvals.actions import sending
from registry.actors import Actor


@shared_task(name="approvals.expire_reviews")  # type: ignore[untyped-decorator]  # no types
def expire_reviews() -> None:
    """End every open review whose time is up; safe to run at any moment, any number of times."""
    end_expired(actor=Actor.system("review-expiry"))


@shared_task(name="approvals.send_notices", ignore_result=True)  # type: ignore[untyped-decorator]
def send_notices() -> None:
    """Send what the outbox holds and is due; any number of workers may, at once."""
    sending.send_notices(actor=Actor.system("channels"))
