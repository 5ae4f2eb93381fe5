"""A company with one model that ends, made directly."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from fleet.campaigns.actions.opening import open_campaign
from fleet.campaigns.models import Campaign, Move
from kernel import clock
from registry.actors import Actor
from registry.models import Agent, Person
from routing.models import Model, ModelUse, UsageDay, UsageRoute
from tests.factories import make_agent, make_manifest, make_model, make_vendor

SWEEP = Actor.system("campaigns")


def in_days(number: int) -> date:
    return clock.now().date() + timedelta(days=number)


def ending(name: str = "gpt-5", vendor: str = "openai", days: int = 19, **over: Any) -> Model:
    """Make a model that ends in so many days, as its vendor's page says."""
    given = {
        "retires_on": in_days(days),
        "lifecycle_source": "catalogue: https://vendor.test/deprecations",
        "input_micros_per_mtok": 1_000_000,
        "output_micros_per_mtok": 4_000_000,
    }
    return make_model(make_vendor(vendor, platform=vendor), name, **given | over)


def using(model: Model, name: str, owner: Person, **over: Any) -> Agent:
    """Make a live agent that called a model today: a thousand tokens in, a hundred out."""
    now = clock.now()
    agent = make_agent(
        name, owner=owner, stage="live", backup_owner=over.pop("backup_owner", None),
        manifest=make_manifest(name, models=[{"alias": "default", "route": "elsewhere"}]),
    )  # fmt: skip
    named: dict[str, Any] = {"route": "summarise", "vendor": model.vendor.name, "model": model.name}
    ModelUse.objects.create(
        agent_id=agent.public_id, calls=1, first_called_at=now, last_called_at=now, **named, **over
    )
    sums = {"calls": 1, "input_tokens": 1000, "output_tokens": 100, "cost_micros": 1400}
    UsageDay.objects.create(day=now.date(), agent_id=agent.public_id, **named, **sums)
    UsageRoute.objects.update_or_create(defaults=sums, day=now.date(), **named)
    return agent


def opened(model: Model, **over: Any) -> Campaign:
    due_on = over.pop("due_on", model.retires_on)
    return open_campaign(model, due_on=due_on, actor=SWEEP, **over)


def move_of(campaign: Campaign, agent: Agent) -> Move:
    return Move.objects.select_related("campaign__model__vendor", "agent__owner").get(
        campaign=campaign, agent=agent
    )
