"""The sweep that carries evaluations on; the beat rings it, and it may run twice at once."""

from __future__ import annotations

from celery import shared_task

from fleet.evaluations.actions import ending
from registry.actors import Actor


@shared_task(name="evaluations.carry_out_waiting", ignore_result=True)  # type: ignore[untyped-decorator]
def carry_out_waiting() -> None:
    """Ask and compare what evaluations wait for."""
    ending.carry_out_waiting(actor=Actor.system("evaluation"))
