"""What a move's recorded calls show: how long they are, whether they stream, what they send.

Owns the reading of a few of the newest calls by the automation that compares candidates. Only
names of known parameters are kept, and nobody is shown what was said.
"""

from __future__ import annotations

import json
from contextlib import suppress
from datetime import timedelta
from typing import Any, Final

from django.db.models import F, Max, Q

from fleet.campaigns.models import Campaign, Move
from fleet.campaigns.parameters import KNOWN
from fleet.campaigns.queries.impact import DAYS
from kernel import clock
from kernel.errors import DomainError
from ledger.payloads import open_recorded
from registry.actors import Actor
from registry.models import Role
from routing.models import Call

AT_ONCE: Final = 100
NEWEST: Final = 200
OPENED: Final = 3
AGAIN: Final = timedelta(days=1)


def describe_moves(*, actor: Actor) -> int:
    """Look at the newest calls of moves that were not looked at today; return how many.

    Records: nothing; what is read is kept as names and numbers only. Raises: RoleMissing.
    """
    actor.require(Role.PLATFORM)
    stale = Q(described_at__isnull=True) | Q(described_at__lt=clock.now() - AGAIN)
    rows = Move.objects.filter(
        stale, ended_at__isnull=True, campaign__state=Campaign.State.OPEN
    ).select_related("agent", "campaign__model__vendor")
    moves = list(rows.order_by(F("described_at").asc(nulls_first=True), "pk")[:AT_ONCE])
    for move in moves:
        describe_move(move, actor=actor)
    return len(moves)


def describe_move(move: Move, *, actor: Actor) -> Move:
    """Look at the newest calls of one move. Records: nothing."""
    model = move.campaign.model
    calls = Call.objects.filter(
        agent_id=move.agent.public_id, made_for="", vendor=model.vendor.name, model=model.name,
        started_at__gte=clock.now() - timedelta(days=DAYS),
    ).exclude(status=Call.Status.DENIED)  # fmt: skip
    newest = calls.order_by("-started_at").values("pk")[:NEWEST]
    rows = Call.objects.filter(pk__in=newest)
    longest = rows.aggregate(most=Max(F("input_tokens") + F("output_tokens")))["most"]
    sent, opened = set[str](), 0
    for entry_id in rows.order_by("-started_at").values_list("intent_id", flat=True)[:OPENED]:
        # What is not kept any more, or cannot be opened here, tells nothing.
        with suppress(DomainError, ValueError):
            sent |= _names(json.loads(open_recorded(entry_id)))
            opened += 1
    move.longest_tokens = longest
    move.streams = rows.filter(streamed=True).exists() if longest is not None else None
    # Of calls that could not be read nothing is known; without a call nothing was sent.
    move.parameters = sorted(sent) if opened or longest is None else None
    move.described_at = clock.now()
    move.save(update_fields=["longest_tokens", "streams", "parameters", "described_at"])
    return move


def _names(body: Any) -> set[str]:
    return set(KNOWN & set(body)) if isinstance(body, dict) else set()
