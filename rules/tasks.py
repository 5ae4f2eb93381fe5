"""Sweeps of the policy; the beat rings them, and each may run twice at once."""

from __future__ import annotations

from celery import shared_task

from registry.actors import Actor
from rules.trying import making


@shared_task(name="rules.try_bundles", ignore_result=True)  # type: ignore[untyped-decorator]
def try_bundles() -> None:
    """Go on with trials of bundles on past decisions."""
    making.try_bundles(actor=Actor.system("policy-trials"))
