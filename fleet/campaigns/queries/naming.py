"""Which repositories name the model of a campaign, for those who govern."""

from __future__ import annotations

from fleet.discovery.queries.naming import NamedIn, repositories_naming
from registry.actors import Actor
from registry.queries.agents import GOVERNING
from routing.models import Model


def named_in(actor: Actor, model: Model) -> list[NamedIn]:
    """Return the places in repositories that name a model; nothing for who does not govern."""
    if not actor.has(*GOVERNING):
        return []
    plain = model.name.removeprefix("models/")
    return repositories_naming({model.name, plain, f"{model.vendor.name}/{model.name}"})
