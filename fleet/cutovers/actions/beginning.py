"""Beginning a cutover: who is to be moved whereto, on which evaluations, by which steps.

Owns that nobody is moved on an evaluation that did not pass, unless the platform says why and
security agrees, and that security is asked above a class of data.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from django.conf import settings
from django.db import transaction

from approvals.actions.asking import Question, ask
from approvals.models import Review
from fleet.cutovers.actions.noting import note
from fleet.cutovers.errors import AgentPaused, CutoverUnderWay, NotEvaluated
from fleet.cutovers.models import Cutover, CutoverAgent
from fleet.cutovers.plan import checked_limits, checked_steps
from fleet.cutovers.queries.cutovers import bound_digest, signs_as, under_way
from fleet.evaluations.queries.many import Report, reports_of
from fleet.telling.actions.telling import tell
from kernel import clock
from kernel.canonical import digest
from kernel.refs import Ref, new_id
from ledger.verbs import Verb
from registry.actions.guards import hold_all
from registry.actors import Actor
from registry.models import Agent, Person, Role
from routing.errors import ShiftRefused
from routing.models import Model
from routing.queries.shifts import obstacles, paused_for

_CLASSES: Final = ("public", "internal", "confidential", "personal", "regulated")


@transaction.atomic
def begin_cutover(  # noqa: PLR0913  the seam, named
    *,
    agents: Iterable[Agent],
    source: Model,
    target: Model,
    evaluations: Mapping[str, str],
    subject: Ref | None,
    actor: Actor,
    steps: Sequence[Mapping[str, Any]] | None = None,
    limits: Mapping[str, Any] | None = None,
    override_reason: str = "",
) -> Cutover:
    """Write down the way of some agents, and ask for the signatures that it needs.

    The platform team begins any, owners those of their own agents. ``evaluations`` are by the
    agents' ids; of an agent that is not named the newest counts.
    Records: cutover.begun (and review.opened). Raises: RoleMissing, PlanInvalid, ShiftRefused,
    CutoverUnderWay, AgentPaused, NotEvaluated.
    """
    whom = hold_all(agents)
    if not all(signs_as(actor, agent) for agent in whom) or override_reason.strip():
        actor.require(Role.PLATFORM)
    planned, held_to = checked_steps(steps), checked_limits(limits)
    _check(whom, source, target, actor)
    reports = reports_of(whom, source, target, evaluations)
    rows = [_row(agent, reports.get(agent.pk)) for agent in whom]
    why = override_reason.strip()[:2000]
    if not why and (lacking := [row.agent.name for row in rows if not row.has_passed]):
        raise NotEvaluated(
            f"No passed evaluation of {target.name} for {', '.join(lacking[:5])}"
            f"{' and others' if len(lacking) > 5 else ''}. Evaluate first; or the platform team"
            " says why it goes ahead all the same, and security decides.",
            agents=len(lacking),
        )
    now = clock.now()
    cutover = Cutover.objects.create(
        public_id=new_id("cut"),
        source=source,
        target=target,
        subject=str(subject) if subject is not None else "",
        steps=planned,
        limits=held_to,
        needs_security=bool(why) or any(_is_sensitive(agent) for agent in whom),
        override_reason=why,
        begun_by=actor.person,
        begun_as=str(actor.ref),
        begun_at=now,
    )
    for row in rows:
        row.cutover, row.changed_at = cutover, now
    CutoverAgent.objects.bulk_create(rows)
    bound = bound_digest(cutover)  # of the rows as they are read later
    note(
        Verb.CUTOVER_BEGUN,
        cutover,
        f"{_said_of(rows)} to be moved from {source.name} to {target.name}."
        + (f" Without a passed evaluation: {why}" if why else ""),
        actor=actor,
        facts={
            "agents": digest([row.agent.public_id for row in rows]),
            "count": len(rows),
            "digest": bound,
            "override": bool(why),
            "for": cutover.subject,
        },
    )
    if cutover.needs_security:
        _ask_security(cutover, rows, bound, actor)
    _tell_owners(cutover, rows)
    return cutover


def _check(agents: list[Agent], source: Model, target: Model, actor: Actor) -> None:
    if not agents or source.pk == target.pk:
        raise ShiftRefused("Name agents, and two different models.", field="agents")
    if busy := under_way(agents, source.pk).first():
        raise CutoverUnderWay(
            f"{busy.agent.name} is on its way by {busy.cutover.public_id} already.",
            cutover=busy.cutover.public_id,
        )
    if not actor.has(Role.PLATFORM) and (paused := paused_for(agents, source)):
        names = [agent.name for agent in agents if agent.public_id in paused]
        raise AgentPaused(
            f"{source.name} is paused for {', '.join(names[:5])}. The platform team moves what it"
            " has paused, or resumes it first.",
            agents=len(names),
        )
    if found := obstacles(agents, source, target):
        raise ShiftRefused(f"{'; '.join(found[:5])}.", field="target", obstacles=len(found))


def _row(agent: Agent, report: Report | None) -> CutoverAgent:
    if report is None:
        return CutoverAgent(agent=agent)
    chosen = report.evaluation
    return CutoverAgent(
        agent=agent,
        evaluation=chosen.public_id,
        evaluation_digest=chosen.digest,
        has_passed=bool(chosen.digest) and report.is_good,
    )


def _is_sensitive(agent: Agent) -> bool:
    # A class that nobody knows asks for every cutover, rather than for none.
    said = settings.CUTOVER_SECURITY_CLASS
    least = _rank(said) if said in _CLASSES else 0
    return any(_rank(name) >= least for name in agent.data_classes)


def _rank(data_class: str) -> int:
    return _CLASSES.index(data_class) if data_class in _CLASSES else len(_CLASSES)


def _ask_security(cutover: Cutover, rows: list[CutoverAgent], bound: str, actor: Actor) -> None:
    owners = {person.public_id for row in rows for person in _owners(row.agent)}
    review = ask(
        Question(
            kind=Review.Kind.CUTOVER.value,
            subject=cutover.ref,
            subject_name=f"{cutover.source.name} to {cutover.target.name}",
            digest=bound,
            text=f"May {len(rows)} agents be moved from {cutover.source.name} to"
            f" {cutover.target.name}?",
            requester=actor.person or rows[0].agent.owner,
            excluded=frozenset(owners),
            evidence={
                "agents": [row.agent.name for row in rows[:100]],
                "data_classes": sorted({name for row in rows for name in row.agent.data_classes}),
                "vendor": cutover.target.vendor.name,
                "not_passed": [row.agent.name for row in rows if not row.has_passed][:100],
            },
            justification=cutover.override_reason,
        ),
        actor=actor,
    )
    cutover.security_review = review.public_id
    cutover.save(update_fields=["security_review"])


def _tell_owners(cutover: Cutover, rows: list[CutoverAgent]) -> None:
    people = {person.pk: person for row in rows for person in _owners(row.agent)}
    tell(
        key=f"cutover:{cutover.public_id}:sign",
        kind="cutover",
        subject=cutover.ref,
        title=f"Agree to move agents from {cutover.source.name} to {cutover.target.name}",
        lines=[row.agent.name for row in rows[:20]],
        path=f"/cutovers/{cutover.public_id}/",
        people=people.values(),
    )


def _owners(agent: Agent) -> list[Person]:
    return [person for person in (agent.owner, agent.backup_owner) if person is not None]


def _said_of(rows: Sequence[CutoverAgent]) -> str:
    return "1 agent is" if len(rows) == 1 else f"{len(rows)} agents are"
