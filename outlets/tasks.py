"""Sweeps of the outlets; the beat rings them, and each may run twice at once."""

from __future__ import annotations

from celery import shared_task

from outlets.actions import feeding, making, targets
from registry.actors import Actor


@shared_task(name="outlets.make_exports", ignore_result=True)  # type: ignore[untyped-decorator]
def make_exports() -> None:
    """Go on with exports that wait."""
    making.make_exports(actor=Actor.system("exports"))


@shared_task(name="outlets.expire_exports", ignore_result=True)  # type: ignore[untyped-decorator]
def expire_exports() -> None:
    """Remove the files of exports whose time is over."""
    making.expire_exports(actor=Actor.system("exports"))


@shared_task(name="outlets.send_feeds", ignore_result=True)  # type: ignore[untyped-decorator]
def send_feeds() -> None:
    """Send what was sequenced to the receivers that want it."""
    feeding.send_feeds(actor=Actor.system("feeds"))


@shared_task(name="outlets.follow_schedules", ignore_result=True)  # type: ignore[untyped-decorator]
def follow_schedules() -> None:
    """Ask for the copies that are due."""
    targets.follow_schedules(actor=Actor.system("schedules"))
