"""The run that a proposal is part of: named as the gateway names it, and begun with it."""

from __future__ import annotations

import re
from typing import Final

from django.db.models.functions import Now

from effects.refusals import RunUnknown
from registry.models import Agent
from routing.gateway.runs import is_run_of, run_named
from routing.models import Run

_AN_ID: Final = re.compile(r"run_[0-9a-z]{26}")


def run_id_of(agent: Agent, said: str) -> tuple[str, str]:
    """Return the id and the label of the run an agent speaks of; two empty texts for none.

    An id of another agent's run is unknown here, whether there is such a run or not.
    Raises: RunUnknown, RunLabelUnusable.
    """
    if not said.strip():
        return "", ""
    text = said.strip()
    if _AN_ID.fullmatch(text) and not is_run_of(agent.public_id, text):
        raise RunUnknown(f"{agent.name} has no run {text!r}.")
    name = run_named(agent.public_id, text)
    return name.run_id, name.label


def begin_run(agent: Agent, run_id: str, label: str) -> None:
    """Make sure that there is a row of the run: a proposal may be its first step."""
    Run.objects.bulk_create(
        [Run(run_id=run_id, agent_id=agent.public_id, label=label, started_at=Now())],
        ignore_conflicts=True,
    )
