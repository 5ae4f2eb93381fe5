"""The sweeps: what nobody decides escalates, then ends; and the channels are told."""

from __future__ import annotations

from celery import shared_task

from approvals.actions import announcing, sending, settling_arrivals
from approvals.actions import escalate_reviews as note_escalated
from approvals.actions import expire_reviews as end_expired
from registry.actors import Actor


@shared_task(name="approvals.expire_reviews")  # type: ignore[untyped-decorator]  # no types
def expire_reviews() -> None:
    """End every open review whose time is up; safe to run at any moment, any number of times."""
    end_expired(actor=Actor.system("review-expiry"))


@shared_task(name="approvals.send_notices", ignore_result=True)  # type: ignore[untyped-decorator]
def send_notices() -> None:
    """Send what the outbox holds and is due; any number of workers may, at once."""
    sending.send_notices(actor=Actor.system("channels"))


@shared_task(name="approvals.escalate_reviews")  # type: ignore[untyped-decorator]  # no types
def escalate_reviews() -> None:
    """Put on record what has escalated; who may decide follows the clock without it."""
    note_escalated(actor=Actor.system("review-escalation"))


@shared_task(name="approvals.settle_arrivals", ignore_result=True)  # type: ignore[untyped-decorator]
def settle_arrivals() -> None:
    """Carry out what was pressed in Slack."""
    settling_arrivals.settle_arrivals(actor=Actor.system("channels"))


@shared_task(name="approvals.remind_deciders", ignore_result=True)  # type: ignore[untyped-decorator]
def remind_deciders() -> None:
    """Tell once more of what nobody has decided when three quarters of its time are over."""
    announcing.remind_deciders(actor=Actor.system("channels"))
