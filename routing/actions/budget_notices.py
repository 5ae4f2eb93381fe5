"""Telling people before the wall: a share of a cap that was passed is noticed once a window.

Only what is spent counts, not what is held: a notice is never taken back. The row is the
notice and the queue of its mail; whoever claims it sends it.
"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from typing import Final

from django.conf import settings
from django.core.mail import send_mail
from django.db import transaction
from django.db.models import Q

from kernel import clock
from ledger.entries import Fact
from ledger.record import record
from ledger.verbs import Verb
from registry.actors import Actor
from registry.models import Agent, Person, Role
from routing.gateway.reserving import money
from routing.models import Budget, BudgetNotice, BudgetWindow
from routing.queries.budgets import Standing, standing, standings

logger = logging.getLogger("unsprawl.budgets")

MOST_TOLD: Final = 50
# No call that is still open holds anything in a minute as old as this.
MINUTES_KEPT: Final = timedelta(hours=3)


def notice_budgets(*, actor: Actor) -> int:
    """Notice every share of a cap that was passed since the last look; return how many.

    Records: budget.neared.
    """
    actor.require(Role.PLATFORM)
    budgets = Budget.objects.filter(ended_at=None, measure=Budget.Measure.COST)
    noticed = sum(_notice(each, actor) for each in standings(budgets))
    while _mail_one():
        pass
    return noticed


def drop_old_minutes(*, actor: Actor) -> int:
    """Drop the windows of minutes long past; return how many. Records: nothing."""
    actor.require(Role.PLATFORM)
    old = BudgetWindow.objects.filter(
        budget__period=Budget.Period.MINUTE, starts_at__lt=clock.now() - MINUTES_KEPT
    )
    return old.delete()[0]


def _notice(found: Standing, actor: Actor) -> int:
    budget = found.budget
    passed = [each for each in budget.thresholds if found.spent * 100 >= each * budget.cap]
    if not passed or not budget.cap:
        return 0
    now, made = clock.now(), 0
    for percent in passed:
        with transaction.atomic():
            _, is_new = BudgetNotice.objects.get_or_create(
                budget=budget, starts_at=found.span.starts_at, percent=percent,
                defaults={"noticed_at": now},
            )  # fmt: skip
            if is_new:
                made += 1
                facts: dict[str, Fact] = {
                    "percent": percent,
                    "spent": found.spent,
                    "cap": budget.cap,
                }
                record(Verb.BUDGET_NEARED, budget.ref, actor=actor.ref, facts=facts)
    return made


@transaction.atomic
def _mail_one() -> bool:
    """Send the mail of one budget's notices; tell whether there was one to send."""
    if not settings.EMAIL_HOST:
        return False
    waiting = BudgetNotice.objects.filter(mailed_at=None, noticed_at__gte=_lately())
    notice = waiting.select_for_update(skip_locked=True, of=("self",)).order_by("-percent").first()
    if notice is None:
        return False
    # The highest says it all; those below it were passed on the way.
    same = waiting.filter(budget=notice.budget, starts_at=notice.starts_at)
    found = standing(notice.budget)
    people = _people(notice.budget)
    try:
        if people:
            send_mail(_title(found, notice.percent), _text(found), None, people)
    except OSError as error:
        logger.warning("mail of a budget's notice was not taken: %s", type(error).__name__)
        return False
    same.update(mailed_at=clock.now())
    return True


def _lately() -> datetime:
    return clock.now() - timedelta(days=1)


def _people(budget: Budget) -> list[str]:
    active = Person.objects.filter(deactivated_at=None)
    match budget.subject_kind:
        case Budget.SubjectKind.AGENT:
            agent = Agent.objects.filter(public_id=budget.subject).first()
            wanted = Q(pk__in=[agent.owner_id, agent.backup_owner_id]) if agent else Q(pk=None)
        case Budget.SubjectKind.TEAM:
            wanted = Q(team__slug=budget.subject)
        case _:
            wanted = Q(roles__contains=[Role.PLATFORM.value])
    return list(active.filter(wanted).order_by("pk").values_list("email", flat=True)[:MOST_TOLD])


def _title(found: Standing, percent: int) -> str:
    return f"{percent}% of the budget of {found.name} is spent".replace("\n", " ")


def _text(found: Standing) -> str:
    budget = found.budget
    ends = f"{found.span.ends_at:%Y-%m-%d %H:%M} UTC" if found.span.ends_at else "never"
    forecast = ""
    if found.forecast is not None and found.forecast > budget.cap:
        forecast = f"If it goes on like this, {money(found.forecast, budget.currency)}.\n"
    return (
        f"{money(found.spent, budget.currency)} of {money(budget.cap, budget.currency)} a"
        f" {budget.period} is spent.\n{forecast}At the cap calls are refused with 402"
        f" budget_spent. The next window begins: {ends}.\n\n"
        f"{settings.PUBLIC_URL}/budgets/{budget.public_id}/\n"
    )
