"""A step for rows that are chosen in a list: first a page that says what it would do.

Owns the two steps: choosing lays the selection out and leads to the page, and only sending
the form of that page begins anything. Other parts offer steps of their own the same way.
"""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from fleet.retiring.actions.batches import MOST, open_batch
from fleet.retiring.actions.bulk_steps import AGENTS, STEPS
from kernel.admin import BulkAction, offer_in_bulk
from kernel.errors import DomainError
from registry.authentication import actor_of
from registry.portal import sentence


def offer_steps() -> None:
    """Offer every step above the list of agents."""
    for name, step in STEPS.items():
        if step.of != AGENTS:
            continue
        offer_in_bulk("registry.agent", f"bulk_{name}", f"{step.title} …", _choosing(name))


def _choosing(step: str) -> BulkAction:
    def choose(model_admin: Any, request: HttpRequest, rows: Any) -> HttpResponse | None:
        try:
            batch = open_batch(
                step, list(rows.order_by("name")[: MOST + 1]), actor=actor_of(request)
            )
        except DomainError as error:
            messages.error(request, sentence(error))
            return None
        return redirect("admin:retiring_batch_change", batch.pk)

    return choose
