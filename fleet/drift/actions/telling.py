"""Saying that a figure changed, and that it is as it was: a row, the record, an incident, a word.

A change is told once: to who answers for the agents on the route, and by its incident to the
platform team or, of golden cases, to their agent's owner. An event that is no fault (another
set-up at the vendor) is over as it begins and opens no incident.
"""

from __future__ import annotations

from typing import Final

from django.urls import reverse

from fleet.drift.models import Change, Watch
from fleet.health.actions.incidents import open_incident, resolve_incident
from fleet.health.models import Incident
from fleet.telling.actions.telling import tell
from kernel import clock
from ledger.entries import Fact
from ledger.record import record
from ledger.verbs import Verb
from registry.actors import Actor
from registry.models import Agent, Person, Role

KIND: Final = "drift"
_OWNERS: Final = 50
_EVENTS: Final = frozenset({Change.Figure.FINGERPRINT})


def say_change(change: Change, *, actor: Actor) -> None:
    """Keep a change that was just seen, and tell of it, in the caller's transaction.

    Records: drift.seen, and incident.opened.
    """
    watch, plan = change.watch, change.plan
    is_event = change.figure in _EVENTS
    if is_event:
        change.over_at = change.seen_at
    change.save(force_insert=True)
    _record(Verb.DRIFT_SEEN, change, actor)
    title = f"{change.get_figure_display()}: route {watch.route} on {watch.vendor}/{watch.model}"
    people = _owners(watch)
    if not is_event:
        open_incident(
            key=_key(change),
            kind=KIND,
            subject=watch.ref,
            agent=plan.agent if plan is not None else None,
            title=title,
            severity=Incident.Severity.DEGRADED,
            facts={"reason": change.said, "change": change.public_id},
            actor=actor,
        )
        # Its incident has told the agent's owner already.
        people = [one for one in people if plan is None or one.pk != plan.agent.owner_id]
    tell(
        key=change.public_id,
        kind="drift.seen",
        subject=watch.ref,
        title=title,
        lines=[change.said],
        path=reverse("drift:watch", args=[watch.public_id]),
        people=people,
        roles=[Role.PLATFORM] if is_event else [],
    )


def end_change(change: Change, *, why: str, actor: Actor) -> None:
    """Say that a figure is as it was, or taken as it is now.

    Records: drift.over, and incident.resolved.
    """
    change.over_at = clock.now()
    change.save(update_fields=["over_at"])
    _record(Verb.DRIFT_OVER, change, actor)
    resolve_incident(_key(change), why=why, actor=actor)


def _key(change: Change) -> str:
    about = change.plan.public_id if change.plan is not None else change.watch.public_id
    return f"drift:{about}:{change.figure}"


def _owners(watch: Watch) -> list[Person]:
    agents = Agent.objects.filter(routes__contains=[watch.route]).exclude(stage="retired")
    rows = Person.objects.filter(owned_agents__in=agents, deactivated_at__isnull=True)
    return list(rows.distinct().order_by("pk")[:_OWNERS])


def _record(verb: Verb, change: Change, actor: Actor) -> None:
    watch = change.watch
    facts: dict[str, Fact] = {
        "change": change.public_id,
        "figure": str(change.figure),
        "route": watch.route,
        "vendor": watch.vendor,
        "model": watch.model,
        "calls": change.calls,
    }
    if change.plan is None:
        facts["before_per_mille"] = round(1000 * change.before)
        facts["after_per_mille"] = round(1000 * change.after)
    else:
        facts["plan"], facts["said"] = change.plan.public_id, change.said
    agent = change.plan.agent.public_id if change.plan is not None else ""
    record(verb, watch.ref, actor=actor.ref, facts=facts, agent_id=agent)
