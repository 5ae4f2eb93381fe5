"""Putting live agents back where people approve everything, by rule and with the figures.

Only what happened since an agent went live counts, at least ten times, and only what is
surely below what was asked of it by a margin: so chance demotes nobody, and an agent
does not go back and forth. The way up is the same as before: a review.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from django.conf import settings
from django.core.mail import send_mail
from django.db import transaction
from django.db.models import Exists, OuterRef
from django.db.models.functions import Now

from effects.launch.figures import Share
from effects.launch.measuring import NEWEST, measure_stage, newest_effects
from effects.launch.minimum import Minimum, minimum_for
from effects.models import Demotion, Proposal
from kernel.refs import new_id
from registry.actions.agents import demote_agent
from registry.actions.guards import hold
from registry.actors import Actor
from registry.models import Agent, Role

logger = logging.getLogger("unsprawl.launch")

_LATELY: Final = timedelta(days=1)
LEAST: Final = 10  # fewer decisions or effects demote nobody


@dataclass(frozen=True, slots=True)
class Regression:
    """By which rule an agent is below what it was promoted for, and how far."""

    rule: str
    reason: str
    share: Share


def demote_regressed(*, actor: Actor) -> list[Demotion]:
    """Look at every live agent that acted since it went live; demote those that regressed.

    Records: agent.demoted.
    """
    actor.require(Role.SECURITY, Role.PLATFORM)
    acted = Proposal.objects.filter(
        agent=OuterRef("pk"), created_at__gte=OuterRef("stage_changed_at")
    )
    live = Agent.objects.filter(Exists(acted), stage=Agent.Stage.LIVE).order_by("pk")
    found = [_demote(agent, actor) for agent in live]
    tell_owners()
    return [each for each in found if each is not None]


def regression_of(agent: Agent, minimum: Minimum, margin: int) -> Regression | None:
    """Say whether an agent is surely below its minimum by the margin, and by which rule."""
    errors = newest_effects(agent, agent.stage_changed_at, NEWEST)
    if (
        errors.whole >= LEAST
        and (errors.value or 0) * 100 >= minimum.errors + margin
        and errors.lower * 100 > minimum.errors
    ):
        return Regression(
            "launch.errors",
            f"{errors.part} of its newest {errors.whole} effects since it went live failed or"
            f" are not known; at most {minimum.errors} % may.",
            errors,
        )
    agreement = measure_stage(agent).total.agreement
    if (
        agreement.whole >= LEAST
        and (agreement.value or 0) * 100 <= minimum.agreement - margin
        and agreement.upper * 100 < minimum.agreement
    ):
        return Regression(
            "launch.disagreement",
            f"People approved {agreement.part} of its newest {agreement.whole} actions unchanged"
            f" since it went live; {minimum.agreement} % is asked.",
            agreement,
        )
    return None


@transaction.atomic
def _demote(agent: Agent, actor: Actor) -> Demotion | None:
    agent = hold(agent)
    if agent.stage != Agent.Stage.LIVE:
        return None
    minimum = minimum_for(agent.risk_tier)
    found = regression_of(agent, minimum, settings.LAUNCH_MARGIN)
    if found is None:
        return None
    figures: dict[str, Any] = {"share": found.share.facts(), "minimum": minimum.facts()}
    demote_agent(
        agent,
        actor=actor,
        reason=found.reason,
        facts={"rule": found.rule, "part": found.share.part, "whole": found.share.whole},
    )
    return Demotion.objects.create(
        public_id=new_id("dem"),
        agent=agent,
        rule=found.rule,
        reason=found.reason,
        figures=figures,
        demoted_at=Now(),
    )


def tell_owners() -> int:
    """Write to the owners of agents that were demoted and not told yet; return of how many."""
    told = 0
    while settings.EMAIL_HOST and _tell_one():
        told += 1
    return told


@transaction.atomic
def _tell_one() -> bool:
    untold = Demotion.objects.filter(told_at__isnull=True, demoted_at__gte=Now() - _LATELY)
    locked = untold.select_for_update(skip_locked=True, of=("self",))
    demotion = locked.select_related("agent__owner", "agent__backup_owner").first()
    if demotion is None:
        return False
    agent = demotion.agent
    people = [
        person.email
        for person in (agent.owner, agent.backup_owner)
        if person is not None and person.is_active
    ]
    try:
        if people:
            send_mail(_title(agent), _text(demotion), None, people)
    except OSError as error:
        logger.warning("mail of a demotion was not taken: %s", type(error).__name__)
        return False
    Demotion.objects.filter(pk=demotion.pk).update(told_at=Now())
    return True


def _title(agent: Agent) -> str:
    return f"{agent.name} is back in soft launch"


def _text(demotion: Demotion) -> str:
    agent = demotion.agent
    return (
        f"{agent.name} was put back from live to soft launch: people approve every action it"
        f" proposes.\n\n{demotion.reason}\n\nThe figures, and how to ask for live again:\n"
        f"{settings.PUBLIC_URL}/agents/{agent.name}/launch/\n"
    )
