"""Planning the end of an agent: announced at once, carried out on its day by a sweep.

Whoever owns the agent plans, changes and cancels; that data be destroyed is planned by
platform and security. A plan that drains is changed no more. To retire at once is the same
plan with no day and no drain, so that every end leaves the same steps and the same tombstone.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from django.db import transaction

from fleet.retiring.actions.stepping import make_steps, take
from fleet.retiring.errors import PlanUnusable, RetirementUnderWay, ShreddingNeedsOffice
from fleet.retiring.models import Retirement, Step
from fleet.retiring.queries.retirements import SHREDDING
from kernel import clock
from kernel.db import refused_as, ring
from kernel.refs import new_id
from ledger.entries import Fact
from ledger.record import record
from ledger.verbs import Verb
from registry.actions import agents as act
from registry.actions.guards import hold, require_owning, stated
from registry.actions.returning import check_successor
from registry.actors import Actor
from registry.models import Agent
from registry.queries import agent_for

SWEEP: Final = "retiring.carry_on"
LONGEST_DRAIN_MINUTES: Final = 7 * 24 * 60
LONGEST_DAYS: Final = 3 * 365
State, Name = Retirement.State, Step.Name
_RUNNING: Final = (Agent.Stage.SOFT_LAUNCH, Agent.Stage.LIVE)


@dataclass(frozen=True, slots=True)
class Plan:
    """What is wanted of an end; without a moment only that it comes is announced."""

    drains_at: datetime | None = None
    drain_minutes: int = 60
    successor: Agent | None = None
    shred_after_days: int | None = None  # None: the data are kept by retention

    @property
    def data(self) -> Retirement.Data:
        kept = self.shred_after_days is None
        return Retirement.Data.KEEP if kept else Retirement.Data.SHRED


@transaction.atomic
def plan_retirement(name: str, plan: Plan, *, actor: Actor, reason: str) -> Retirement:
    """Announce an agent's end, or change a plan that has not begun to be carried out.

    Records: agent.deprecated, agent.end_set, retirement.planned or retirement.changed.
    Raises: AgentNotFound, NotYourAgent, ReasonMissing, IllegalTransition, PlanUnusable,
    SuccessorUnusable, ShreddingNeedsOffice, RetirementUnderWay.
    """
    agent = hold(agent_for(actor, name))
    require_owning(actor, agent)
    why = stated(reason)
    check_plan(agent, plan, actor)
    standing = _standing(agent)
    if standing is not None and standing.state != State.ANNOUNCED:
        raise RetirementUnderWay(
            f"{agent.name} is {standing.get_state_display().lower()} already.",
            retirement=standing.public_id,
        )
    before = agent.stage
    if agent.stage != Agent.Stage.DEPRECATED:
        agent = act.deprecate_agent(agent.name, actor=actor, reason=why)
    agent = act.set_end(agent, ends_at=plan.drains_at, successor=plan.successor, actor=actor)
    if standing is None:
        made = _make(agent, plan, before, why, actor)
        _record(Verb.RETIREMENT_PLANNED, made, actor)
        take(made, Name.ANNOUNCED, detail=_when(plan), actor=actor)
    else:
        made = _change(standing, plan, why)
        _record(Verb.RETIREMENT_CHANGED, made, actor)
    ring(SWEEP)
    return made


@transaction.atomic
def retire_now(name: str, *, actor: Actor, reason: str, plan: Plan | None = None) -> Retirement:
    """End an agent at once: its keys open nothing from the commit on, the rest follows.

    Records: agent.retired, key.revoked, agent.end_set, retirement.planned.
    Raises: AgentNotFound, NotYourAgent, ReasonMissing, IllegalTransition, PlanUnusable,
    SuccessorUnusable, ShreddingNeedsOffice.
    """
    agent = hold(agent_for(actor, name))
    require_owning(actor, agent)
    why, before = stated(reason), agent.stage
    standing = _standing(agent)
    plan = plan or _as_planned(standing)
    check_plan(agent, plan, actor, is_new=standing is None)
    working = agent.keys.filter(revoked_at__isnull=True, expires_at__gt=clock.now()).count()
    agent = act.retire_agent(agent.name, actor=actor, reason=why)
    now = clock.now()
    agent = act.set_end(agent, ends_at=now, successor=plan.successor, actor=actor)
    at_once = Plan(now, 0, plan.successor, plan.shred_after_days)
    made = _make(agent, at_once, before, why, actor) if standing is None else standing
    if standing is None:
        _record(Verb.RETIREMENT_PLANNED, made, actor)
        take(made, Name.ANNOUNCED, detail="At once.", actor=actor)
    else:
        _change(made, at_once, why)
    take(made, Name.DRAINING, detail="At once: what ran was cut.", actor=actor)
    end_row(made, working, actor=actor)
    ring(SWEEP)
    return made


def end_row(retirement: Retirement, keys: int, *, actor: Actor) -> None:
    """Note on the row that the agent is retired, inside the step that did it."""
    retirement.state, retirement.retired_at = State.RETIRED, clock.now()
    retirement.save(update_fields=["state", "retired_at"])
    noun = "key that worked was" if keys == 1 else "keys that worked were"
    take(retirement, Name.ENDED, count=keys, detail=f"{keys} {noun} revoked.", actor=actor)


def check_plan(agent: Agent, plan: Plan, actor: Actor, *, is_new: bool = True) -> None:
    """Refuse what cannot be carried out. Raises: PlanUnusable, and what `plan_retirement` says."""
    now = clock.now()
    if plan.drains_at is not None and plan.drains_at < now - timedelta(minutes=5):
        raise PlanUnusable("The day is past; name one that is to come.", field="on")
    if plan.drains_at is not None and plan.drains_at > now + timedelta(days=LONGEST_DAYS):
        raise PlanUnusable("The day is more than three years away.", field="on")
    if not 0 <= plan.drain_minutes <= LONGEST_DRAIN_MINUTES:
        raise PlanUnusable("A drain takes 0 minutes to seven days.", field="drain_minutes")
    if plan.shred_after_days is not None:
        if not 0 <= plan.shred_after_days <= LONGEST_DAYS:
            raise PlanUnusable(
                f"Data are destroyed 0 to {LONGEST_DAYS} days after the end.",
                field="shred_after_days",
            )
        if is_new and not actor.has(*SHREDDING):
            raise ShreddingNeedsOffice(
                "Platform and security plan that data be destroyed; ask them, or keep the data.",
                rule="fleet.plans_shredding",
            )
    if plan.successor is not None:
        check_successor(agent, plan.successor)


def _standing(agent: Agent) -> Retirement | None:
    rows = Retirement.objects.select_for_update(of=("self",)).select_related("agent", "successor")
    return rows.filter(agent=agent, state__in=Retirement.STANDING).first()


def planned_for(agent: Agent) -> Plan:
    """Return what was planned of an agent's end besides its day; nothing of it, where none was."""
    return _as_planned(_standing(agent))


def _as_planned(standing: Retirement | None) -> Plan:
    if standing is None:
        return Plan()
    shred = standing.shred_after_days if standing.data == Retirement.Data.SHRED else None
    return Plan(successor=standing.successor, shred_after_days=shred)


def _make(agent: Agent, plan: Plan, before: str, why: str, actor: Actor) -> Retirement:
    if before not in _RUNNING:
        before = Agent.Stage.SOFT_LAUNCH
    taken = RetirementUnderWay(f"{agent.name} is being retired already.")
    with refused_as({"retiring_retirement_one_per_agent": taken}):
        made = Retirement.objects.create(
            public_id=new_id("rtm"),
            agent=agent,
            successor=plan.successor,
            stage_before=before,
            reason=why,
            drains_at=plan.drains_at,
            drain_minutes=plan.drain_minutes,
            data=plan.data,
            shred_after_days=plan.shred_after_days or 0,
            planned_by=str(actor.ref),
            planned_at=clock.now(),
        )
    make_steps(made)
    return made


def _change(standing: Retirement, plan: Plan, why: str) -> Retirement:
    standing.successor, standing.reason = plan.successor, why
    standing.drains_at, standing.drain_minutes = plan.drains_at, plan.drain_minutes
    standing.data, standing.shred_after_days = plan.data, plan.shred_after_days or 0
    standing.save(
        update_fields=[
            "successor",
            "reason",
            "drains_at",
            "drain_minutes",
            "data",
            "shred_after_days",
        ]
    )
    # Whoever was told of another day is told again.
    standing.steps.filter(name=Name.WARNED).update(done_at=None, detail="", count=0)
    return standing


def _when(plan: Plan) -> str:
    if plan.drains_at is None:
        return "No day is set yet."
    return f"New runs are refused from {plan.drains_at:%Y-%m-%d %H:%M} UTC."


def _record(verb: Verb, made: Retirement, actor: Actor) -> None:
    facts: dict[str, Fact] = {
        "retirement": made.public_id,
        "drains_at": clock.stamp(made.drains_at) if made.drains_at else "",
        "drain_minutes": made.drain_minutes,
        "successor": made.successor.name if made.successor else "",
        "data": made.data,
        "shred_after_days": made.shred_after_days if made.data == Retirement.Data.SHRED else None,
        "reason": made.reason,
    }
    record(verb, made.ref, actor=actor.ref, agent_id=made.agent.public_id, facts=facts)
