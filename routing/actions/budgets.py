"""Setting, changing and ending budgets, and keeping those that manifests declare.

The gateways learn of a change within a second; what a window has counted stays counted. A
budget that people set and one of a manifest stand side by side: the stricter holds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from decimal import Decimal
from typing import Any, Final

from django.conf import settings
from django.db import transaction

from kernel import clock
from kernel.db import refused_as
from kernel.refs import new_id
from ledger.entries import Fact
from ledger.record import record
from ledger.verbs import Verb
from registry.actors import Actor
from registry.models import Agent, Role, Team
from routing.budgeting import BudgetDraft
from routing.errors import BudgetExists, BudgetInvalid, BudgetNotFound, NothingToChange
from routing.models import Budget, BudgetWindow, Route, Vendor
from routing.models.budget import LARGEST_CAP
from routing.queries.budgets import used_since, window_now

PERIODS: Final = {
    "cost": ("day", "month"),
    "requests": ("minute",),
    "tokens": ("minute",),
    "open_calls": ("always",),
}
MOST_THRESHOLDS: Final = 10
# What a manifest may limit: its member, and what that caps in which period.
MANIFEST_LIMITS: Final = {
    "dailyUsd": ("cost", "day"),
    "monthlyUsd": ("cost", "month"),
    "rpm": ("requests", "minute"),
    "tpm": ("tokens", "minute"),
}
SETTING: Final = (Role.PLATFORM, Role.SECURITY)
CHANGEABLE: Final = frozenset({"cap", "thresholds", "lets_unpriced", "reason"})


@transaction.atomic
def set_budget(draft: BudgetDraft, *, actor: Actor) -> Budget:
    """Set a new budget. Security may too: it only ever stops something.

    Records: budget.set. Raises: RoleMissing, BudgetInvalid, BudgetExists.
    """
    actor.require(*SETTING)
    budget = _create(checked(draft), Budget.Source.PEOPLE, actor)
    _record(Verb.BUDGET_SET, budget, actor)
    return budget


def checked(draft: BudgetDraft) -> BudgetDraft:
    """Return a draft with its subject by id and its period spelt out. Raises: BudgetInvalid."""
    if draft.measure not in PERIODS:
        raise BudgetInvalid(f"measure is one of {', '.join(PERIODS)}.", field="measure")
    periods = PERIODS[draft.measure]
    period = draft.period or periods[-1]
    if period not in periods:
        raise BudgetInvalid(
            f"A budget of {draft.measure} holds for a {' or a '.join(periods)}.", field="period"
        )
    _check_cap(draft.cap)
    _check_thresholds(draft.thresholds)
    currency = (draft.currency or "USD").upper() if draft.measure == "cost" else ""
    if currency and not (len(currency) == 3 and currency.isascii() and currency.isalpha()):
        raise BudgetInvalid("currency is three letters, such as USD.", field="currency")
    found = {
        "period": period,
        "currency": currency,
        "subject": _subject(draft.subject_kind, draft.subject),
        "thresholds": sorted(set(draft.thresholds)),
    }
    return BudgetDraft(**asdict(draft) | found)


@transaction.atomic
def change_budget(budget_id: str, changes: Mapping[str, Any], *, actor: Actor) -> Budget:
    """Change the cap, the thresholds, or what becomes of models without a price.

    Security may lower a cap, and nothing else.
    Records: budget.set. Raises: RoleMissing, BudgetNotFound, BudgetInvalid, NothingToChange.
    """
    actor.require(*SETTING)  # before anything that would tell how the budget is
    budget = _held(budget_id)
    wanted = {name: value for name, value in changes.items() if getattr(budget, name) != value}
    if unknown := sorted(set(changes) - CHANGEABLE):
        raise BudgetInvalid(f"{', '.join(unknown)} cannot be changed; set another budget.")
    if not wanted:
        raise NothingToChange("The budget says exactly this already.")
    if set(wanted) - {"reason"} == {"cap"} and wanted["cap"] < budget.cap:
        actor.require(*SETTING)
    else:
        actor.require(Role.PLATFORM)
    _check_of_people(budget)
    _check_cap(wanted.get("cap", budget.cap))
    _check_thresholds(wanted.get("thresholds", budget.thresholds))
    before = budget.cap
    for name, value in wanted.items():
        setattr(budget, name, sorted(set(value)) if name == "thresholds" else value)
    budget.changed_at = clock.now()
    budget.save(update_fields=[*wanted, "changed_at"])
    _record(Verb.BUDGET_SET, budget, actor, {"cap_before": before})
    return budget


@transaction.atomic
def end_budget(budget_id: str, *, actor: Actor, reason: str = "") -> Budget:
    """End a budget: it holds nobody back any more, and what it counted can still be read.

    Records: budget.ended. Raises: RoleMissing, BudgetNotFound, BudgetInvalid.
    """
    actor.require(Role.PLATFORM)
    budget = _held(budget_id)
    _check_of_people(budget)
    _end(budget, actor, reason)
    return budget


@transaction.atomic
def keep_limits(agent: Agent, limits: Mapping[str, Any], *, actor: Actor) -> None:
    """Make the limits of an agent's accepted manifest its budgets: exactly these.

    Records: budget.set, budget.ended.
    """
    wanted = {
        MANIFEST_LIMITS[name]: _amount(name, value)
        for name, value in limits.items()
        if name in MANIFEST_LIMITS
    }
    kept = Budget.objects.select_for_update().filter(
        subject_kind=Budget.SubjectKind.AGENT, subject=agent.public_id,
        source=Budget.Source.MANIFEST, ended_at=None,
    )  # fmt: skip
    for budget in kept:
        cap = wanted.pop((budget.measure, budget.period), None)
        if cap is None:
            _end(budget, actor, "the manifest names it no more")
        elif cap != budget.cap:
            before, budget.cap, budget.changed_at = budget.cap, cap, clock.now()
            budget.save(update_fields=["cap", "changed_at"])
            _record(Verb.BUDGET_SET, budget, actor, {"cap_before": before})
    for (measure, period), cap in sorted(wanted.items()):
        draft = BudgetDraft(
            "agent", measure, cap, period, agent.public_id,
            currency="USD" if measure == "cost" else "", reason="declared in its manifest",
        )  # fmt: skip
        made = _create(draft, Budget.Source.MANIFEST, actor)
        _record(Verb.BUDGET_SET, made, actor)


class ManifestLimits:
    """Answers the registry's port: what an accepted manifest limits is kept from then on."""

    def keep(self, agent: Agent, limits: Mapping[str, Any], *, actor: Actor) -> None:
        keep_limits(agent, limits, actor=actor)


def _create(draft: BudgetDraft, source: Budget.Source, actor: Actor) -> Budget:
    now = clock.now()
    exists = BudgetExists(
        f"There is a budget of {draft.measure} a {draft.period} for this"
        f" {draft.subject_kind} already; change its cap instead."
    )
    with refused_as({"routing_budget_one_open_per_subject": exists}):
        budget = Budget.objects.create(
            public_id=new_id("bud"),
            time_zone=settings.BUDGET_TIME_ZONE,
            source=source,
            created_by=str(actor.ref),
            created_at=now,
            changed_at=now,
            **asdict(draft),
        )
    if budget.measure == Budget.Measure.COST:
        # A month that began before its budget did has been spent from already.
        starts_at = window_now(budget).starts_at
        spent = used_since(budget, starts_at.date())
        BudgetWindow.objects.create(budget=budget, starts_at=starts_at, spent=spent)
    return budget


def _held(budget_id: str) -> Budget:
    said = budget_id.replace("\0", "")
    budget = Budget.objects.select_for_update().filter(public_id=said, ended_at=None).first()
    if budget is None:
        raise BudgetNotFound(f"There is no open budget {budget_id[:80]!r}.")
    return budget


def _end(budget: Budget, actor: Actor, reason: str) -> None:
    budget.ended_at = budget.changed_at = clock.now()
    budget.save(update_fields=["ended_at", "changed_at"])
    _record(Verb.BUDGET_ENDED, budget, actor, {"reason": reason[:500]})


def _check_of_people(budget: Budget) -> None:
    if budget.source == Budget.Source.MANIFEST:
        raise BudgetInvalid(
            "This budget is declared in the agent's manifest; it changes with its next version."
        )


def _check_cap(cap: int) -> None:
    if not 0 <= cap <= LARGEST_CAP:
        raise BudgetInvalid(f"cap is a whole number from 0 to {LARGEST_CAP}.", field="cap")


def _check_thresholds(thresholds: list[int]) -> None:
    if len(thresholds) > MOST_THRESHOLDS or not all(1 <= each <= 100 for each in thresholds):
        raise BudgetInvalid(
            f"thresholds are at most {MOST_THRESHOLDS} whole percents from 1 to 100.",
            field="thresholds",
        )


def _subject(kind: str, said: str) -> str:
    """Return what a subject is kept as. Raises: BudgetInvalid for one that is not there."""
    if "\x00" in said:
        raise BudgetInvalid("subject holds a NUL character.", field="subject")
    match kind:
        case "organisation":
            found = "" if not said else None
        case "agent":
            by_name = {"public_id" if said.startswith("agt_") else "name": said}
            found = Agent.objects.filter(**by_name).values_list("public_id", flat=True).first()
        case "team":
            by_slug = {"public_id" if said.startswith("team_") else "slug": said}
            found = Team.objects.filter(**by_slug).values_list("slug", flat=True).first()
        case "route":
            by_route = {"public_id" if said.startswith("rte_") else "name": said}
            found = Route.objects.filter(**by_route).values_list("name", flat=True).first()
        case "vendor":
            by_vendor = {"public_id" if said.startswith("ven_") else "name": said}
            found = Vendor.objects.filter(**by_vendor).values_list("public_id", flat=True).first()
        case _:
            kinds = ", ".join(Budget.SubjectKind.values)
            raise BudgetInvalid(f"subject_kind is one of {kinds}.", field="subject_kind")
    if found is None:
        raise BudgetInvalid(f"There is no {kind} {said[:80]!r}.", field="subject")
    return str(found)


def _amount(name: str, value: Any) -> int:
    if name.endswith("Usd"):
        return int(Decimal(str(value)) * 1_000_000)
    return int(value)


def _record(
    verb: Verb, budget: Budget, actor: Actor, more: Mapping[str, Fact] | None = None
) -> None:
    facts: dict[str, Fact] = {
        "subject_kind": budget.subject_kind,
        "subject": budget.subject,
        "model": budget.model,
        "measure": budget.measure,
        "period": budget.period,
        "cap": budget.cap,
        "currency": budget.currency,
        "thresholds": [str(each) for each in budget.thresholds],
        "lets_unpriced": budget.lets_unpriced,
        "source": budget.source,
        **(more or {}),
    }
    agent = budget.subject if budget.subject_kind == Budget.SubjectKind.AGENT else ""
    record(verb, budget.ref, actor=actor.ref, agent_id=agent, facts=facts)
