"""Sweeps of discovery; the beat rings them, and each may run twice at once."""

from __future__ import annotations

from celery import shared_task

from fleet.discovery.actions import keeping, parts, pulling, readings, sources
from registry.actors import Actor


@shared_task(name="discovery.carry_out_readings", ignore_result=True)  # type: ignore[untyped-decorator]
def carry_out_readings() -> None:
    """Read files that wait."""
    readings.carry_out_readings(actor=Actor.system("discovery"))


@shared_task(name="discovery.pull_sources", ignore_result=True)  # type: ignore[untyped-decorator]
def pull_sources() -> None:
    """Read accounts that wait."""
    pulling.pull_sources(actor=Actor.system("discovery"))


@shared_task(name="discovery.follow_schedules", ignore_result=True)  # type: ignore[untyped-decorator]
def follow_schedules() -> None:
    """Ask for the accounts that are due."""
    sources.follow_schedules(actor=Actor.system("discovery"))


@shared_task(name="discovery.keep_findings", ignore_result=True)  # type: ignore[untyped-decorator]
def keep_findings() -> None:
    """Judge findings by today's dates, remind whom they wait for, forget people of settled ones."""
    keeping.keep_findings(actor=Actor.system("discovery"))
    parts.end_forgotten(actor=Actor.system("discovery"))
