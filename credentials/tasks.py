"""Sweeps of the leases; the beat rings them, and each may run twice at once."""

from __future__ import annotations

from celery import shared_task

from credentials.leasing import ending


@shared_task(name="credentials.end_leases", ignore_result=True)  # type: ignore[untyped-decorator]
def end_leases() -> None:
    """End what is to end."""
    ending.end_leases()
