"""The sweep that sends what people are told."""

from __future__ import annotations

from celery import shared_task

from fleet.telling.actions import sending
from registry.actors import Actor


@shared_task(name="telling.send_copies", ignore_result=True)  # type: ignore[untyped-decorator]
def send_copies() -> None:
    """Send what is due; any number of workers may, at once."""
    sending.send_copies(actor=Actor.system("telling"))
