"""The sweeps of worth; the beat rings them, and each may run twice at once."""

from __future__ import annotations

from celery import shared_task

from fleet.worth.actions import counting, grouping, listing, sketching, standing
from registry.actors import Actor


@shared_task(name="worth.count_days", ignore_result=True)  # type: ignore[untyped-decorator]
def count_days() -> None:
    """Count days, make standings from them, and the list of a quarter that is over."""
    counting.count_days(actor=Actor.system("worth-count"))
    standing.make_standings(actor=Actor.system("worth-count"))
    listing.list_ended_quarter(actor=Actor.system("worth-count"))


@shared_task(name="worth.sketch_prompts", ignore_result=True)  # type: ignore[untyped-decorator]
def sketch_prompts() -> None:
    """Drop the sketches that may not be kept, and sketch prompts that are new."""
    sketching.drop_sketches(actor=Actor.system("prompt-sketches"))
    sketching.sketch_prompts(actor=Actor.system("prompt-sketches"))


@shared_task(name="worth.find_duplicates", ignore_result=True)  # type: ignore[untyped-decorator]
def find_duplicates() -> None:
    """Compare the fleet's agents where something changed."""
    grouping.find_duplicates(actor=Actor.system("duplicates"))
