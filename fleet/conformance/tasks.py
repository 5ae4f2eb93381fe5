"""The sweep of conformance; the beat rings it, and it may run twice at once."""

from __future__ import annotations

from celery import shared_task

from fleet.conformance.actions import checking
from registry.actors import Actor


@shared_task(name="conformance.check_runs", ignore_result=True)  # type: ignore[untyped-decorator]
def check_runs() -> None:
    """Hold runs that are over against what their agents declare."""
    checking.check_runs(actor=Actor.system("conformance"))
