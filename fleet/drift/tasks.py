"""The sweep of the watches; the beat rings it, and it may run twice at once."""

from __future__ import annotations

from celery import shared_task

from fleet.drift.actions import watching
from registry.actors import Actor


@shared_task(name="drift.watch_calls", ignore_result=True)  # type: ignore[untyped-decorator]
def watch_calls() -> None:
    """Count the hours that are over, and tell what rose."""
    watching.watch_calls(actor=Actor.system("drift-watch"))
