"""Sweeps of the control plane; the beat rings them, and each may run twice at once."""

from __future__ import annotations

import logging

from celery import shared_task

from ledger.retention import months
from registry.actors import Actor
from routing.actions import (
    budget_notices,
    feeds,
    limits,
    listing,
    lost_calls,
    reevaluating,
    run_sums,
    usage,
    vendor_words,
)
from routing.keeping import deciding, erasing

logger = logging.getLogger("unsprawl.retention")


@shared_task(name="routing.count_usage", ignore_result=True)  # type: ignore[untyped-decorator]
def count_usage() -> None:
    """Count final calls into days, and hear what vendors said of their models and limits."""
    usage.count_usage(actor=Actor.system("usage-count"))
    vendor_words.note_vendor_words(actor=Actor.system("vendor-words"))
    limits.note_limits(actor=Actor.system("vendor-limits"))


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


@shared_task(name="routing.carry_out_erasures", ignore_result=True)  # type: ignore[untyped-decorator]
def carry_out_erasures() -> None:
    """Destroy what people agreed to have destroyed, as far as no hold is in the way."""
    erasing.carry_out_erasures(actor=Actor.system("erasure"))


@shared_task(name="routing.keep_retention", ignore_result=True)  # type: ignore[untyped-decorator]
def keep_retention() -> None:
    """Make months ahead, destroy what is old enough, drop what nothing readable is left of."""
    deciding.keep_retention(actor=Actor.system("retention"))
    for sentence in months.trouble().sentences:
        logger.error(sentence)


@shared_task(name="routing.carry_out_reevaluations", ignore_result=True)  # type: ignore[untyped-decorator]
def carry_out_reevaluations() -> None:
    """Ask the calls of re-evaluated runs that were not asked yet."""
    reevaluating.carry_out_waiting(actor=Actor.system("re-evaluation"))


@shared_task(name="routing.read_listings", ignore_result=True)  # type: ignore[untyped-decorator]
def read_listings() -> None:
    """Ask vendors that are due for their own lists of models."""
    listing.read_due_listings(actor=Actor.system("model-listing"))


@shared_task(name="routing.follow_feeds", ignore_result=True)  # type: ignore[untyped-decorator]
def follow_feeds() -> None:
    """Fetch the catalogue feeds that are due."""
    feeds.follow_due_feeds(actor=Actor.system("catalogue-feeds"))
