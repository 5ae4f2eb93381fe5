"""The sweeps of drift; the beat rings them, and each may run twice at once."""

from __future__ import annotations

from celery import shared_task

from fleet.drift.actions import attending, limiting, pricing, rounds, watching
from registry.actors import Actor


@shared_task(name="drift.watch_calls", ignore_result=True)  # type: ignore[untyped-decorator]
def watch_calls() -> None:
    """Count the hours that are over, and tell what rose."""
    watching.watch_calls(actor=Actor.system("drift-watch"))


@shared_task(name="drift.attend_sources", ignore_result=True)  # type: ignore[untyped-decorator]
def attend_sources() -> None:
    """Open and close the incidents of lists that cannot be read."""
    attending.attend_sources(actor=Actor.system("drift-watch"))


@shared_task(name="drift.ask_golden_cases", ignore_result=True)  # type: ignore[untyped-decorator]
def ask_golden_cases() -> None:
    """Ask the golden cases that are due, and look at what came of them."""
    rounds.ask_due_plans(actor=Actor.system("drift-watch"))


@shared_task(name="drift.count_price_effects", ignore_result=True)  # type: ignore[untyped-decorator]
def count_price_effects() -> None:
    """Count what changed prices come to, and tell whom it concerns."""
    pricing.count_price_effects()


@shared_task(name="drift.count_limit_effects", ignore_result=True)  # type: ignore[untyped-decorator]
def count_limit_effects() -> None:
    """Count what changed limits would have refused."""
    limiting.count_limit_effects()
