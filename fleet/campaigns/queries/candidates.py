"""What an agent can move to: every model here, measured against what the agent needs.

Owns the ranking and its reasons. What is refused says why and stands below; what is unknown is
said. Among models that fit equally well, the one that the vendor itself names comes first, then
the cheapest.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final

from django.db.models import Q

from fleet.campaigns.capabilities import SCHEMA, STREAMING, TOOLS, family_of
from fleet.campaigns.models import Move
from fleet.campaigns.parameters import Breaking, breaking_at, declared_by
from fleet.campaigns.queries.impact import DAYS
from kernel import clock
from policy.decision import UNAVAILABLE
from policy.errors import BundleUnusable
from registry.models import Agent
from routing.models import Model, Route
from rules.judging import judge_facts
from rules.models import Grant

SHORT_DAYS: Final = 180
MOST_JUDGED: Final = 25
MONTH: Final = 30
GOOD, WARN, BAD, UNKNOWN = "good", "warn", "bad", "unknown"


@dataclass(frozen=True, slots=True)
class Reason:
    """How a model does in one respect."""

    about: str  # price, context, capability, region, data, policy, lifetime, …
    standing: str  # good, warn, bad (refused), unknown
    text: str


@dataclass(slots=True)
class Candidate:
    """One model that an agent could move to, and how it does in each respect."""

    model: Model
    is_named: bool  # by the vendor, as the replacement
    monthly_micros: int | None
    before_micros: int | None
    reasons: list[Reason] = field(default_factory=list)
    breaking: list[Breaking] = field(default_factory=list)

    @property
    def is_refused(self) -> bool:
        return any(each.standing == BAD for each in self.reasons)

    @property
    def why_not(self) -> str:
        return "; ".join(each.text for each in self.reasons if each.standing == BAD)

    @property
    def difference_micros(self) -> int | None:
        if self.monthly_micros is None or self.before_micros is None:
            return None
        return self.monthly_micros - self.before_micros

    def order(self) -> tuple[Any, ...]:
        def those(standing: str, about: str = "") -> int:
            return sum(
                each.standing == standing and each.about in (about or each.about)
                for each in self.reasons
            )

        cost = self.monthly_micros if self.monthly_micros is not None else 2**62
        return (
            self.is_refused, those(WARN, "lifetime"), those(WARN), those(UNKNOWN),
            not self.is_named, cost, str(self.model),
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Needs:
    """What is asked of every candidate of one move, read once."""

    move: Move
    routes: list[tuple[Route, list[str]]]  # with the regions in which the source serves each
    granted: dict[str, set[str]]  # classes of data, by vendor


def candidates_for(move: Move) -> list[Candidate]:
    """Return what an agent can move to, the best first, and what it cannot with the reasons."""
    source, needs = move.campaign.model, _needs(move)
    models = Model.objects.select_related("vendor").exclude(pk=source.pk)
    usable = models.filter(disabled_at__isnull=True, vendor__disabled_at__isnull=True)
    measured = sorted((_measured(needs, each) for each in usable), key=Candidate.order)
    judge = _judge_for(needs)
    for candidate in [each for each in measured if not each.is_refused][:MOST_JUDGED]:
        candidate.reasons.extend(judge(candidate.model))
    return sorted(measured, key=Candidate.order)


def candidate_of(move: Move, model: Model) -> Candidate:
    """Measure one model for one agent, policy included."""
    needs = _needs(move)
    found = _measured(needs, model)
    if model.pk == move.campaign.model_id:
        found.reasons.append(Reason("model", BAD, "it is the model that ends"))
    if model.disabled_at is not None or model.vendor.disabled_at is not None:
        found.reasons.append(Reason("model", BAD, "it is disabled"))
    if not found.is_refused:
        found.reasons.extend(_judge_for(needs)(model))
    return found


def monthly_cost(move: Move, model: Model) -> int | None:
    """Return what a month of the agent's recorded tokens costs at a model; None is unknown."""
    if model.input_micros_per_mtok is None or model.output_micros_per_mtok is None:
        return None
    sent = move.input_tokens * model.input_micros_per_mtok
    came = move.output_tokens * model.output_micros_per_mtok
    return (sent + came) * MONTH // (DAYS * 1_000_000)


def _needs(move: Move) -> _Needs:
    source, agent = move.campaign.model, move.agent
    named = Q(name__in=agent.routes) | Q(aliases__overlap=agent.routes)
    rows = Route.objects.filter(named, disabled_at__isnull=True).prefetch_related("targets")
    routes = [
        (route, [row.region for row in route.targets.all() if row.model_id == source.pk])
        for route in rows.order_by("name")
    ]
    granted: dict[str, set[str]] = {}
    given = Grant.objects.filter(agent=agent, state="given", until__gt=clock.now())
    for vendor, data_class in given.values_list("vendor", "data_class"):
        granted.setdefault(vendor, set()).add(data_class)
    return _Needs(move, [each for each in routes if each[1]], granted)


def _measured(needs: _Needs, model: Model) -> Candidate:
    move = needs.move
    campaign = move.campaign
    before = move.cost_micros * MONTH // DAYS if not move.unpriced_calls else None
    # What two currencies come to beside each other nobody knows here.
    monthly = monthly_cost(move, model) if model.currency == campaign.model.currency else None
    found = Candidate(model, campaign.names(model), monthly, before)
    version = move.agent.current_version
    declared = declared_by(version.manifest) if version is not None else []
    found.breaking = breaking_at(model, declared=declared, sent=move.parameters or [])
    for look in (_price, _lifetime, _context, _capability, _data, _region, _parameters):
        found.reasons.extend(look(needs, found))
    return found


def _price(needs: _Needs, found: Candidate) -> Iterator[Reason]:
    paid = needs.move.campaign.model.currency
    if found.model.currency != paid:
        text = f"its price is in {found.model.currency}, the agent's costs in {paid}"
        yield Reason("price", UNKNOWN, f"{text}: what it costs more or less is not known")
    elif found.monthly_micros is None:
        yield Reason("price", UNKNOWN, "its price is unknown")


def _lifetime(needs: _Needs, found: Candidate) -> Iterator[Reason]:
    ends, due = found.model.retires_on, needs.move.campaign.due_on
    if ends is None:
        yield Reason("lifetime", GOOD, "no end is known")
    elif ends <= due:
        yield Reason("lifetime", BAD, f"it ends on {ends}, before the agent has to be off")
    elif ends <= clock.now().date() + timedelta(days=SHORT_DAYS):
        yield Reason("lifetime", WARN, f"it ends on {ends} itself: the next move is near")
    else:
        yield Reason("lifetime", GOOD, f"it ends on {ends}")


def _context(needs: _Needs, found: Candidate) -> Iterator[Reason]:
    has, longest = found.model.context_tokens, needs.move.longest_tokens
    if has is None or longest is None:
        what = "its context window" if has is None else "how long the agent's calls are"
        yield Reason("context", UNKNOWN, f"{what} is unknown")
    elif longest > has:
        text = f"the longest recorded call has {longest} tokens, its window {has}"
        yield Reason("context", BAD, text)
    elif longest > 0.8 * has:
        yield Reason(
            "context", WARN, f"the longest call fills {100 * longest // has} % of its window"
        )
    else:
        yield Reason("context", GOOD, f"{has} tokens; the longest call has {longest}")


def _capability(needs: _Needs, found: Candidate) -> Iterator[Reason]:
    move, needed = needs.move, set[str]()
    sent = set(move.parameters or [])
    if move.agent.tools or "tools" in sent:
        needed.add(TOOLS)
    if move.streams or "stream" in sent:
        needed.add(STREAMING)
    if "response_format" in sent:
        needed.add(SCHEMA)
    family = family_of(found.model.name)
    if family is None:
        if needed:
            text = f"nobody says whether it can do {', '.join(sorted(needed))}"
            yield Reason("capability", UNKNOWN, text)
    elif missing := needed - family.can:
        text = f"it cannot do {', '.join(sorted(missing))} ({family.source})"
        yield Reason("capability", BAD, text)
    elif needed:
        yield Reason("capability", GOOD, f"{', '.join(sorted(needed))} ({family.source})")


def _data(needs: _Needs, found: Candidate) -> Iterator[Reason]:
    vendor = found.model.vendor
    lacking = set(needs.move.agent.data_classes) - set(vendor.data_classes)
    if lacking := lacking - needs.granted.get(vendor.name, set()):
        text = f"{vendor.name} may not receive {', '.join(sorted(lacking))} data"
        yield Reason("data", BAD, text)
    else:
        yield Reason("data", GOOD, f"{vendor.name} may receive its data")


def _region(needs: _Needs, found: Candidate) -> Iterator[Reason]:
    vendor = found.model.vendor
    for route, _ in needs.routes:
        wanted = route.constraints.get("regions") or []
        if wanted and vendor.regions and not set(wanted) & set(vendor.regions):
            has = ", ".join(vendor.regions)
            text = f"the route {route.name} keeps calls in {', '.join(wanted)}; it has {has}"
            yield Reason("region", BAD, text)
        elif wanted and not vendor.regions:
            yield Reason("region", UNKNOWN, f"nobody says where {vendor.name} answers from")


def _parameters(needs: _Needs, found: Candidate) -> Iterator[Reason]:
    broken = [each.name for each in found.breaking if each.is_broken]
    if broken:
        yield Reason("parameters", WARN, f"calls with {', '.join(broken)} break there")
    elif needs.move.parameters is None:
        yield Reason("parameters", UNKNOWN, "none of its recorded calls was read")


def _judge_for(needs: _Needs) -> Callable[[Model], list[Reason]]:
    """Return what asks policy about the agent's calls at a model, as the gateway would ask."""
    agent = needs.move.agent
    described = _described(agent)

    def judge(model: Model) -> list[Reason]:
        classes = sorted(needs.granted.get(model.vendor.name, set()))
        for route, regions in needs.routes:
            facts: dict[str, object] = {
                "call": {"route": route.name, "operation": "chat", "region": ""},
                "agent": described,
                "target": _target(model, regions[0]),
                "route": {"name": route.name, "constraints": dict(route.constraints)},
            }
            if classes:
                facts["grants"] = classes
            try:
                decision = judge_facts(facts)
            except BundleUnusable:
                return [Reason("policy", UNKNOWN, "policy could not be asked")]
            if decision.rule == UNAVAILABLE:
                return [Reason("policy", UNKNOWN, "policy could not be asked")]
            if not decision.allow:
                standing = WARN if decision.ask else BAD
                return [Reason("policy", standing, f"{decision.reason} ({decision.rule})")]
        return [Reason("policy", GOOD, "policy allows it")]

    return judge


def _described(agent: Agent) -> dict[str, object]:
    return {
        "name": agent.name,
        # A draft is judged as it will run.
        "stage": agent.stage if agent.stage in Agent.CALLABLE else Agent.Stage.LIVE.value,
        "data_classes": sorted(agent.data_classes),
        "routes": sorted(agent.routes),
        "team": agent.team.slug if agent.team is not None else "",
    }


def _target(model: Model, region: str) -> dict[str, object]:
    vendor = model.vendor
    where = region if not region or region in vendor.regions else next(iter(vendor.regions), "")
    return {
        "vendor": vendor.name,
        "model": model.name,
        "region": where,
        "dialect": vendor.dialect,
        "data_classes": sorted(vendor.data_classes),
    }
