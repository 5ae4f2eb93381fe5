"""The sweeps of health; each looks at the latest state, and may run twice at once."""

from __future__ import annotations

from celery import shared_task

from fleet.health.actions import attending, beating, following, judging, summing
from registry.actors import Actor


@shared_task(name="health.follow_registry", ignore_result=True)  # type: ignore[untyped-decorator]
def follow_registry() -> None:
    """Bring checks up to what the manifests in force ask for."""
    following.follow_registry(actor=Actor.system("health"))


@shared_task(name="health.note_late", ignore_result=True)  # type: ignore[untyped-decorator]
def note_late() -> None:
    """Note the heartbeats that have not come."""
    beating.note_late(actor=Actor.system("health"))


@shared_task(name="health.judge_calls", ignore_result=True)  # type: ignore[untyped-decorator]
def judge_calls() -> None:
    """Count new calls and judge agents by them."""
    judging.judge_calls(actor=Actor.system("health"))


@shared_task(name="health.attend", ignore_result=True)  # type: ignore[untyped-decorator]
def attend() -> None:
    """Open, escalate and end the incidents that follow."""
    attending.attend(actor=Actor.system("health"))
    attending.escalate(actor=Actor.system("health"))


@shared_task(name="health.sum_days", ignore_result=True)  # type: ignore[untyped-decorator]
def sum_days() -> None:
    """Keep how the days that are over were."""
    summing.sum_days(actor=Actor.system("health"))
