"""The page of a move, and what its owner decides there."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_POST

from fleet.campaigns.actions.adapting import ADAPTABLE, say_adapted
from fleet.campaigns.actions.advancing import begin_moves
from fleet.campaigns.actions.choosing import (
    answer_contest,
    choose_candidate,
    contest_move,
    evaluate_again,
)
from fleet.campaigns.actions.resuming import PAUSABLE, pause_move, resume_move
from fleet.campaigns.actions.ruling import set_fallback
from fleet.campaigns.errors import MoveNotFound
from fleet.campaigns.models import PAUSE, Campaign, Move
from fleet.campaigns.queries.campaigns import (
    days_left,
    entries_of_move,
    evaluation_of,
    falls_due_at,
    may_decide,
    move_for,
)
from fleet.campaigns.queries.candidates import candidates_for
from fleet.campaigns.queries.words import rule_words
from fleet.history import events_of, refs_in
from registry.actors import Actor
from registry.models import Role
from registry.portal import signed_in, told
from registry.queries.directory import names_of


@signed_in
@require_GET
def move(request: HttpRequest, actor: Actor, campaign: str, move: str) -> HttpResponse:
    """Show a move: why, until when, where to, and what happens otherwise."""
    row = _move(actor, campaign, move)
    found = candidates_for(row) if row.campaign.is_open and not row.is_over else []
    events = list(entries_of_move(row)[:20])
    decides = may_decide(actor, row) and row.campaign.is_open and not row.is_over
    context: dict[str, Any] = {
        "move": row,
        "campaign": row.campaign,
        "days_left": days_left(row.campaign),
        "falls_due_at": falls_due_at(row.campaign),
        "candidates": [each for each in found if not each.is_refused],
        "refused": [each for each in found if each.is_refused],
        "chosen": next((each for each in found if each.model == row.candidate), None),
        "evaluation": evaluation_of(row),
        "rule": rule_words(row.rule),
        "own_rule": row.fallback is not None,
        "events": events_of(events, names_of(refs_in(events))),
        "may_decide": decides,
        "may_choose": decides and row.state in ("open", "contested", "evaluating", "ready"),
        "may_move": decides and row.state == Move.State.READY,
        "may_adapt": decides
        and row.campaign.kind != Campaign.Kind.RETIREMENT
        and row.state in ADAPTABLE,
        "adapted_by": names_of({row.adapted_by}).get(row.adapted_by, row.adapted_by),
        "may_answer": actor.has(Role.PLATFORM) and row.state == Move.State.CONTESTED,
        "may_pause": decides and actor.has(Role.PLATFORM) and row.state in PAUSABLE,
        "may_resume": actor.has(Role.PLATFORM) and row.state == Move.State.PAUSED,
        "contested_by": names_of({row.contested_by}).get(row.contested_by, row.contested_by),
    }
    return render(request, "campaigns/move.html", context)


@signed_in
@require_POST
def choose(request: HttpRequest, actor: Actor, campaign: str, move: str) -> HttpResponse:
    """Choose where an agent moves to."""
    row = _move(actor, campaign, move)
    with told(request):
        chosen = choose_candidate(row, request.POST.get("model", ""), actor=actor)
        messages.success(request, _chosen(chosen))
    return _back(row)


@signed_in
@require_POST
def evaluate(request: HttpRequest, actor: Actor, campaign: str, move: str) -> HttpResponse:
    """Evaluate again what was chosen."""
    row = _move(actor, campaign, move)
    with told(request):
        evaluate_again(row, actor=actor)
        messages.success(request, "The evaluation has begun.")
    return _back(row)


@signed_in
@require_POST
def begin(request: HttpRequest, actor: Actor, campaign: str, move: str) -> HttpResponse:
    """Begin the cutover of a move that is ready."""
    row = _move(actor, campaign, move)
    with told(request):
        (cutover,) = begin_moves([row], actor=actor)
        messages.success(request, "The cutover has begun: it waits for the owner's signature.")
        return redirect("cutovers:cutover", cutover)
    return _back(row)


@signed_in
@require_POST
def fallback(request: HttpRequest, actor: Actor, campaign: str, move: str) -> HttpResponse:
    """Say what happens at the deadline."""
    row = _move(actor, campaign, move)
    to = request.POST.get("to", "")
    rule = None if to == "" else dict(PAUSE) if to == "pause" else {"rule": "move", "to": to}
    with told(request):
        set_fallback(row, rule, actor=actor)
        messages.success(request, "The rule of the deadline is set.")
    return _back(row)


@signed_in
@require_POST
def contest(request: HttpRequest, actor: Actor, campaign: str, move: str) -> HttpResponse:
    """Say that a move is wrong."""
    row = _move(actor, campaign, move)
    with told(request):
        contest_move(row, request.POST.get("reason", ""), actor=actor)
        messages.success(request, "The platform team is asked to look at it.")
    return _back(row)


@signed_in
@require_POST
def adapt(request: HttpRequest, actor: Actor, campaign: str, move: str) -> HttpResponse:
    """Say that an agent was adapted to what changed."""
    row = _move(actor, campaign, move)
    with told(request):
        say_adapted(row, request.POST.get("reason", ""), actor=actor)
        messages.success(request, "It is on record. The agent needs no move.")
    return _back(row)


@signed_in
@require_POST
def answer(request: HttpRequest, actor: Actor, campaign: str, move: str) -> HttpResponse:
    """Answer an objection."""
    row = _move(actor, campaign, move)
    with told(request):
        is_right = request.POST.get("verdict") == "right"
        answer_contest(row, request.POST.get("reason", ""), is_right=is_right, actor=actor)
        messages.success(request, "Your answer is on record.")
    return _back(row)


@signed_in
@require_POST
def pause(request: HttpRequest, actor: Actor, campaign: str, move: str) -> HttpResponse:
    """Pause an agent's calls to the model now."""
    row = _move(actor, campaign, move)
    with told(request):
        pause_move(row, request.POST.get("reason", ""), actor=actor)
        messages.success(request, "It is paused.")
    return _back(row)


@signed_in
@require_POST
def resume(request: HttpRequest, actor: Actor, campaign: str, move: str) -> HttpResponse:
    """Let a paused agent call the model again."""
    row = _move(actor, campaign, move)
    with told(request):
        resume_move(row, request.POST.get("reason", ""), actor=actor)
        messages.success(request, "It may call the model again.")
    return _back(row)


def _move(actor: Actor, campaign: str, move: str) -> Move:
    row = move_for(actor, move)
    if row.campaign.public_id != campaign:
        raise MoveNotFound
    return row


def _back(row: Move) -> HttpResponse:
    return redirect("campaigns:move", row.campaign.public_id, row.public_id)


def _chosen(move: Move) -> str:
    if move.state == Move.State.EVALUATING:
        return "Chosen. Its evaluation has begun."
    return "Chosen. It is ready to move."
