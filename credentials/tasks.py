"""Sweeps of the leases; the beat rings them, and each may run twice at once."""

from __future__ import annotations

from typing import Any

from celery import shared_task
from celery.signals import worker_process_init

from credentials.leasing import ending, watching


@shared_task(name="credentials.end_leases", ignore_result=True)  # type: ignore[untyped-decorator]
def end_leases() -> None:
    """End what is to end."""
    ending.end_leases()


@worker_process_init.connect  # type: ignore[untyped-decorator]
def watch_own_tokens(**_: Any) -> None:
    """Let each process of the worker see to the tokens in its own memory."""
    watching.start()
