"""Sweeps of retirements and of batches; the beat rings them, and each may run twice at once."""

from __future__ import annotations

from celery import shared_task

from fleet.retiring.actions import batches, carrying, planning
from registry.actors import Actor


@shared_task(name=planning.SWEEP, ignore_result=True)  # type: ignore[untyped-decorator]
def carry_on() -> None:
    """Take the steps of retirements that are due."""
    carrying.carry_on_waiting(actor=Actor.system("retirement"))


@shared_task(name=batches.SWEEP, ignore_result=True)  # type: ignore[untyped-decorator]
def carry_out_batches() -> None:
    """Go on with batches that were begun."""
    batches.carry_out_running()
    batches.drop_forgotten(actor=Actor.system("retirement"))
