"""Sweeps over actions; the beat rings them, and each may run twice at once."""

from __future__ import annotations

from celery import shared_task

from effects.launch import demoting
from registry.actors import Actor


@shared_task(name="effects.demote_regressed", ignore_result=True)  # type: ignore[untyped-decorator]
def demote_regressed() -> None:
    """Put live agents that regressed back to soft launch, and tell their owners."""
    demoting.demote_regressed(actor=Actor.system("launch"))
