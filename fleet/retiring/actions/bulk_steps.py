"""What can be done to many agents at once: each step, whom it would refuse, what it would do.

A step is an action that exists for one agent; here it is only said beforehand. Whoever is
left out is named with why before anything is begun, and asked again when its turn comes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import Any, Final

from credentials.models import Lease
from effects.models import Proposal
from fleet.retiring.actions.planning import Plan, plan_retirement, planned_for, retire_now
from fleet.retiring.actions.restoring import request_restore
from fleet.retiring.errors import BatchUnusable, RetirementNotFound
from fleet.retiring.models import Retirement
from fleet.retiring.queries.dependants import dependants_of
from kernel import clock
from kernel.errors import DomainError
from registry.actions import agents as act
from registry.actions.keys import revoke_all_keys
from registry.actions.owners import check_owners
from registry.actors import Actor
from registry.models import Agent, AgentKey, Person

Asked = Mapping[str, Any]
Effects = list[tuple[str, int]]
Stage = Agent.Stage
AGENTS: Final = "registry.agent"
_RUNNING: Final = (Stage.SOFT_LAUNCH, Stage.LIVE)
_ENDABLE: Final = (*_RUNNING, Stage.DEPRECATED)


@dataclass(frozen=True, slots=True)
class BulkStep:
    """One step: its words, what its form asks for, whom it takes, and how."""

    name: str
    title: str
    what: str
    refuses: Callable[[Agent, Asked], str]  # why it is left out; empty when it is not
    take: Callable[[Agent, Actor, str, Asked], object]
    foresee: Callable[[Sequence[Agent], Asked], Effects] = lambda agents, asked: []
    fields: tuple[str, ...] = ()
    is_dangerous: bool = False
    ends: bool = False  # whom it takes is shown with all that its end touches
    check: Callable[[Asked], object] = lambda asked: None  # of what was asked, for any agent
    of: str = AGENTS  # in whose list it is offered; another part's lays its agents out itself


def check_asked(step: BulkStep, asked: Asked) -> None:
    """Refuse what a step cannot be taken with, for any agent. Raises: BatchUnusable."""
    if step.name == "plan" and not asked.get("on"):
        raise BatchUnusable("Name the day on which they end.", field="on")
    if step.name == "reassign":
        _person(asked.get("owner"), "owner")
    plan_of(asked)
    step.check(asked)
    if asked.get("backup"):
        _person(asked["backup"], "backup")


def plan_of(asked: Asked) -> Plan:
    """Return the plan that a form asks for. Raises: BatchUnusable."""
    shred = asked.get("data") == "shred"
    return Plan(
        drains_at=begins(asked.get("on")),
        drain_minutes=_number(asked, "drain_minutes", 60),
        successor=_successor(asked.get("successor")),
        shred_after_days=_number(asked, "shred_after_days", 30) if shred else None,
    )


def _number(asked: Asked, name: str, usual: int) -> int:
    value = asked.get(name)
    return usual if value in {None, ""} else int(str(value))  # nought is a number too


def begins(day: str | None) -> datetime | None:
    """Return the moment at which a day begins, in UTC; none for none. Raises: BatchUnusable."""
    if not day:
        return None
    try:
        return datetime.combine(date.fromisoformat(day), time(), UTC)
    except ValueError:
        raise BatchUnusable("Write the day as YYYY-MM-DD.", field="on") from None


def _successor(name: str | None) -> Agent | None:
    if not name:
        return None
    found = Agent.objects.filter(name=name).first()
    if found is None:
        raise BatchUnusable(f"There is no agent {name[:80]!r}.", field="successor")
    return found


def _person(email: str | None, field: str) -> Person:
    found = Person.objects.filter(email=(email or "").strip().lower()).first()
    if found is None:
        raise BatchUnusable(f"There is no person {(email or '')[:80]!r}.", field=field)
    return found


def _deprecate(agent: Agent, actor: Actor, reason: str, asked: Asked) -> object:
    return plan_retirement(agent.name, Plan(successor=plan_of(asked).successor), actor=actor,
                           reason=reason)  # fmt: skip


def _plan(agent: Agent, actor: Actor, reason: str, asked: Asked) -> object:
    return plan_retirement(agent.name, plan_of(asked), actor=actor, reason=reason)


def _retire(agent: Agent, actor: Actor, reason: str, asked: Asked) -> object:
    # What the form leaves out stays as it was planned for each of them.
    wanted, planned = plan_of(asked), planned_for(agent)
    plan = Plan(
        successor=wanted.successor or planned.successor,
        shred_after_days=planned.shred_after_days
        if wanted.shred_after_days is None
        else wanted.shred_after_days,
    )
    return retire_now(agent.name, actor=actor, reason=reason, plan=plan)


def _restore(agent: Agent, actor: Actor, reason: str, asked: Asked) -> object:
    row = Retirement.objects.filter(agent=agent, state=Retirement.State.RETIRED).first()
    if row is None:
        raise RetirementNotFound(f"{agent.name} has no retirement that could be undone.")
    return request_restore(row.public_id, actor=actor, reason=reason)


def _suspend(agent: Agent, actor: Actor, reason: str, asked: Asked) -> object:
    return act.suspend_agent(agent.name, actor=actor, reason=reason)


def _resume(agent: Agent, actor: Actor, reason: str, asked: Asked) -> object:
    return act.resume_agent(agent.name, actor=actor, reason=reason)


def _revoke(agent: Agent, actor: Actor, reason: str, asked: Asked) -> object:
    return revoke_all_keys(agent, actor=actor, reason=reason)


def _reassign(agent: Agent, actor: Actor, reason: str, asked: Asked) -> object:
    backup = _person(asked["backup"], "backup") if asked.get("backup") else None
    owner = _person(asked.get("owner"), "owner")
    return act.reassign_owner(agent.name, owner=owner, backup=backup, actor=actor, reason=reason)


def _in(*stages: str) -> Callable[[Agent, Asked], str]:
    def refuses(agent: Agent, asked: Asked) -> str:
        if asked.get("successor") == agent.name:
            return "it is named as the successor"
        return "" if agent.stage in stages else f"it is {_word(agent)}"

    return refuses


def _suspended(*, is_wanted: bool) -> Callable[[Agent, Asked], str]:
    def refuses(agent: Agent, asked: Asked) -> str:
        if agent.stage == Stage.RETIRED:
            return "it is retired"
        word = "it is suspended already" if agent.is_suspended else "it is not suspended"
        return "" if agent.is_suspended == is_wanted else word

    return refuses


def _owned(agent: Agent, asked: Asked) -> str:
    if agent.stage == Stage.RETIRED:
        return "it is retired"
    backup = _person(asked["backup"], "backup") if asked.get("backup") else None
    try:
        check_owners(agent, _person(asked.get("owner"), "owner"), backup)
    except DomainError as error:
        return error.detail
    return ""


def _word(agent: Agent) -> str:
    return str(agent.get_stage_display()).lower().replace("_", " ")


def _lost_by_end(agents: Sequence[Agent], asked: Asked) -> Effects:
    ids = [agent.public_id for agent in agents]
    waiting = Proposal.objects.filter(agent__in=agents, state__in=["proposed", "approved"])
    leases = Lease.objects.filter(agent_id__in=ids, state=Lease.State.ACTIVE)
    depend = sum(len(each) for each in dependants_of(agents).values())
    return [
        *_lost_keys(agents, asked),
        ("leases taken back", leases.count()),
        ("open actions ended", waiting.count()),
        ("dependants warned", depend),
    ]


def _lost_keys(agents: Sequence[Agent], asked: Asked) -> Effects:
    keys = AgentKey.objects.filter(
        agent__in=agents, revoked_at__isnull=True, expires_at__gt=clock.now()
    )
    return [("keys that work revoked", keys.count())]


def _warned(agents: Sequence[Agent], asked: Asked) -> Effects:
    found = dependants_of(agents)
    return [
        ("dependants warned", sum(len(each) for each in found.values())),
        ("agents on which others depend", len(found)),
    ]


_END_FIELDS: Final = ("on", "drain_minutes", "successor", "data", "shred_after_days")
STEPS: Final[dict[str, BulkStep]] = {
    step.name: step
    for step in (
        BulkStep(
            "deprecate", "Deprecate",
            "They go on working. Every answer to them says that their end comes; those who depend"
            " on them are warned.",
            _in(*_RUNNING), _deprecate, _warned, ("successor",), ends=True,
        ),
        BulkStep(
            "plan", "Plan retirement",
            "Their end is announced now. From the day they begin no new run; after the drain keys"
            " and leases are revoked, and it is proven that they are dead.",
            _in(*_ENDABLE), _plan, _lost_by_end, _END_FIELDS, ends=True,
        ),
        BulkStep(
            "retire", "Retire now",
            "Every key is revoked and every call refused at once, what runs is cut. Two people may"
            " bring each back within 30 days, without keys.",
            _in(*_ENDABLE), _retire, _lost_by_end, ("successor", "data", "shred_after_days"),
            is_dangerous=True, ends=True,
        ),
        BulkStep(
            "restore", "Ask to restore",
            "A question is put to security and platform for each of them; who asks does not"
            " decide. They come back as soft launches, without keys.",
            _in(Stage.RETIRED), _restore,
        ),
        BulkStep(
            "reassign", "Reassign owner",
            "They get another owner, who answers for them from now on. The next version of each"
            " manifest names that owner too.",
            _owned, _reassign, fields=("owner", "backup"),
        ),
        BulkStep(
            "suspend", "Suspend",
            "Every call is refused within a second, open streams are cut. Stage and keys stay.",
            _suspended(is_wanted=False), _suspend, is_dangerous=True,
        ),
        BulkStep(
            "resume", "Resume",
            "Their calls are let through again; killed agents come back without keys.",
            _suspended(is_wanted=True), _resume,
        ),
        BulkStep(
            "revoke_keys", "Revoke keys",
            "Every key of theirs opens nothing any more; there is no way back but a new key.",
            _in(*Stage.values), _revoke, _lost_keys, is_dangerous=True,
        ),
    )
}  # fmt: skip


def offer(*steps: BulkStep) -> None:
    """Let another part's steps be laid out, looked at and carried out like those of here."""
    STEPS.update({step.name: step for step in steps})
