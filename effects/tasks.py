"""What the doorbell and the beat ring; each may run twice at once, and finds its own work."""

from __future__ import annotations

from celery import shared_task

from effects.actions import (
    carrying_out,
    clearing,
    connections,
    reconciling,
    trying,
    withdrawing,
)
from effects.gates import running
from effects.launch import demoting
from registry.actors import Actor

EXECUTOR = Actor.system("executor")


@shared_task(name="effects.run_gates", ignore_result=True)  # type: ignore[untyped-decorator]
def run_gates() -> None:
    """Judge actions by the checks that take time."""
    running.run_waiting(actor=Actor.system("checks"))


@shared_task(name="effects.demote_regressed", ignore_result=True)  # type: ignore[untyped-decorator]
def demote_regressed() -> None:
    """Put live agents that regressed back to soft launch, and tell their owners."""
    demoting.demote_regressed(actor=Actor.system("launch"))


@shared_task(name=carrying_out.TASK, ignore_result=True)  # type: ignore[untyped-decorator]
def carry_out(proposal_id: str) -> None:
    """Carry out one approved action; a message that comes again finds it done."""
    carrying_out.carry_out(str(proposal_id)[:80], actor=EXECUTOR)


@shared_task(name=carrying_out.SWEEP, ignore_result=True)  # type: ignore[untyped-decorator]
def carry_out_waiting() -> None:
    """Carry out what no doorbell was heard for."""
    carrying_out.carry_out_waiting(actor=EXECUTOR)


@shared_task(name=connections.TEST, ignore_result=True)  # type: ignore[untyped-decorator]
def test_connections() -> None:
    """Try the connections that somebody asked to be tried."""
    trying.try_connections(actor=EXECUTOR)


@shared_task(name=reconciling.SWEEP, ignore_result=True)  # type: ignore[untyped-decorator]
def reconcile() -> None:
    """Ask about what is not known."""
    reconciling.reconcile(actor=EXECUTOR)


@shared_task(name=clearing.SWEEP, ignore_result=True)  # type: ignore[untyped-decorator]
def drop_orphans() -> None:
    """Drop the database roles of ours that no lease knows."""
    clearing.drop_orphans(actor=EXECUTOR)


@shared_task(name="effects.expire_proposals", ignore_result=True)  # type: ignore[untyped-decorator]
def expire_proposals() -> None:
    """End every proposal whose time is up."""
    withdrawing.expire_proposals(actor=Actor.system("proposal-expiry"))
