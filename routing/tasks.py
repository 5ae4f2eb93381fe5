"""Sweeps of the control plane; the beat rings them, and each may run twice at once."""

from __future__ import annotations

from celery import shared_task

from registry.actors import Actor
from routing.actions import budget_notices, lost_calls, run_sums, usage


@shared_task(name="routing.count_usage", ignore_result=True)  # type: ignore[untyped-decorator]
def count_usage() -> None:
    """Count final calls into days."""
    usage.count_usage(actor=Actor.system("usage-count"))


@shared_task(name="routing.sum_runs", ignore_result=True)  # type: ignore[untyped-decorator]
def sum_runs() -> None:
    """Sum final calls and entries into their runs."""
    run_sums.sum_runs(actor=Actor.system("run-sums"))


@shared_task(name="routing.reap_lost_calls", ignore_result=True)  # type: ignore[untyped-decorator]
def reap_lost_calls() -> None:
    """Conclude the calls of gateways that are gone."""
    lost_calls.reap_lost_calls(actor=Actor.system("lost-calls"))


@shared_task(name="routing.notice_budgets", ignore_result=True)  # type: ignore[untyped-decorator]
def notice_budgets() -> None:
    """Tell people which budgets come near their caps, and drop minutes long past."""
    budget_notices.notice_budgets(actor=Actor.system("budget-notices"))
    budget_notices.drop_old_minutes(actor=Actor.system("budget-notices"))
