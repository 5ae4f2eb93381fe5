"""How the demo company's agents are, which do the same job, and which of them end.

Statuses follow from heartbeats as anybody's do. What is worth its cost, and what looks alike, is
found by the sweeps that find it anywhere; people answer some of it.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from fleet.conformance.actions.checking import check_runs
from fleet.discovery.actions.keeping import keep_findings
from fleet.drift.actions.watching import watch_calls
from fleet.health.actions.attending import attend
from fleet.health.actions.beating import note_late, take_heartbeat
from fleet.health.actions.following import follow_registry
from fleet.health.actions.judging import judge_calls
from fleet.health.actions.setting import set_check, set_runbook
from fleet.health.expected import Expected
from fleet.retiring.actions.carrying import carry_on_waiting
from fleet.worth.actions.counting import count_days
from fleet.worth.actions.grouping import find_duplicates
from fleet.worth.actions.listing import list_ended_quarter, list_quarter_now
from fleet.worth.actions.standing import make_standings
from kernel import clock
from registry.actors import Actor
from registry.models import Agent

# Agents that say how they are, every how many seconds, and what they said last.
_BEATING: Final = (
    ("shift-handover", 3600, "ok", ""),
    ("shipment-tracker", 3600, "ok", ""),
    ("cashflow-notes", 86_400, "ok", ""),
    ("supplier-mails", 3600, "degraded", "The mailbox answers slowly."),
    ("delay-predictor", 3600, "down", "The depot's feed cannot be read."),
)
_RUNBOOK: Final = "https://wiki.demo.example/runbooks/depot-feed"


def tend(*, operator: Actor) -> None:
    """Let agents say how they are, and ring the sweeps that look at a fleet once.

    Records: what every action records. Raises: what any of them raises.
    """
    _beat()
    for sweep in (follow_registry, judge_calls, note_late):
        sweep(actor=Actor.system("health"))
    attend(actor=Actor.system("health"))
    watch_calls(actor=Actor.system("drift-watch"))
    check_runs(actor=Actor.system("conformance"))
    count_days(actor=Actor.system("worth-count"))
    make_standings(actor=Actor.system("worth-count"))
    find_duplicates(actor=Actor.system("duplicates"))
    if list_ended_quarter(actor=Actor.system("worth-count")) is None:
        list_quarter_now(actor=operator)
    carry_on_waiting(actor=Actor.system("retirement"))
    keep_findings(actor=Actor.system("discovery"))


def _beat() -> None:
    now = clock.now()
    for name, seconds, status, message in _BEATING:
        agent = Agent.objects.select_related("owner").get(name=name)
        owner = Actor.of(agent.owner)
        wanted = Expected("heartbeat", "heartbeat", interval_seconds=seconds, grace_seconds=3600)
        with clock.held_at(now - timedelta(hours=2)):
            set_check(agent, wanted, actor=owner)
        for hours in (2, 1, 0):
            with clock.held_at(now - timedelta(hours=hours)):
                said = "ok" if hours == 2 else status
                take_heartbeat(agent, status=said, message=message, actor=Actor.agent(agent.ref))
        if status == "down":
            set_runbook(agent, _RUNBOOK, actor=owner)
