"""The sweep of cutovers; the beat rings it, and it may run twice at once."""

from __future__ import annotations

from celery import shared_task

from fleet.cutovers.actions.noting import MOVER
from fleet.cutovers.actions.stepping import step_cutovers


@shared_task(name="cutovers.step", ignore_result=True)  # type: ignore[untyped-decorator]
def step() -> None:
    """Judge every cutover that moves, and take its next step or bring it back."""
    step_cutovers(actor=MOVER)
