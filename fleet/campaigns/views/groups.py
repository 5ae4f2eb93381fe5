"""Deciding about several moves at once: first what would become of each, then it is done."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST

from fleet.campaigns.actions.advancing import begin_moves
from fleet.campaigns.actions.choosing import choose_candidate, evaluate_again
from fleet.campaigns.actions.reminding import TO_DO, remind_now
from fleet.campaigns.actions.ruling import set_fallback
from fleet.campaigns.models import PAUSE, Campaign, Move
from fleet.campaigns.queries.campaigns import campaign_for, may_decide, moves_for
from fleet.campaigns.queries.candidates import candidate_of
from fleet.campaigns.views.campaign import chosen_moves
from kernel.errors import DomainError
from registry.actors import Actor
from registry.models import Role
from registry.portal import sentence, signed_in, told
from routing.models import Model
from routing.queries.vendors import model_for

MOST: Final = 1000
MEASURED: Final = 200  # where each is measured against a model before anything is done


@dataclass(frozen=True, slots=True)
class Together:
    """What can be done with several moves: its words, whether it names a model."""

    title: str  # of so many
    lead: str
    effect: str  # on one of them
    names_model: bool = False


TOGETHER: Final[Mapping[str, Together]] = {
    "remind": Together(
        "Remind the owners of {moves}",
        "Whoever answers for the agent is told now what there is to do, and by when.",
        "its owner is reminded",
    ),
    "choose": Together(
        "Choose a model for {moves}",
        "An evaluation begins for each, unless it has passed one: its calls count against the"
        " agents' budgets.",
        "it is chosen", names_model=True,
    ),
    "evaluate": Together(
        "Evaluate {moves} again",
        "What was chosen is compared once more: the calls count against the agents' budgets.",
        "it is evaluated again",
    ),
    "move": Together(
        "Sign and move {agents}",
        "A cutover begins for each model they go to. Nothing shifts before it is signed.",
        "its cutover begins",
    ),
    "rule_move": Together(
        "Move {agents} at the deadline",
        "What is not finished by then is moved to the model without a test.",
        "it is moved at the deadline", names_model=True,
    ),
    "rule_pause": Together(
        "Pause {agents} at the deadline",
        "What is not finished by then is refused from the deadline on.",
        "it is paused at the deadline",
    ),
}  # fmt: skip


@signed_in
@require_POST
def group(request: HttpRequest, actor: Actor, campaign: str) -> HttpResponse:
    """Show what would become of several moves, then do it."""
    row, do = campaign_for(actor, campaign), request.POST.get("do", "")
    moves = _marked(request, actor, row)
    back = redirect("campaigns:campaign", row.public_id)
    if do not in TOGETHER or not moves:
        messages.error(request, "Mark at least one move, and say what to do with it.")
        return back
    with told(request):
        target = (
            model_for(actor, request.POST.get("model", "")) if TOGETHER[do].names_model else None
        )
        if request.POST.get("sure") != "yes":
            return _preview(request, actor, row, do, moves, target)
        _carry_out(request, actor, row, do, moves, target)
    return back


def _marked(request: HttpRequest, actor: Actor, row: Campaign) -> list[Move]:
    every = moves_for(actor, row)
    if request.POST.get("all") == "yes":
        # The filter of the page that was looked at, as it stands in its address.
        request.GET = QueryDict(request.POST.get("filter", "")[:1000])
        return list(chosen_moves(request, every, row, actor).order_by("agent__name")[:MOST])
    said = [*request.POST.getlist("move"), *request.POST.get("moves", "").split(",")]
    wanted = [each for each in said if each and "\x00" not in each][:MOST]
    return list(every.filter(public_id__in=wanted).order_by("agent__name"))


def _carry_out(
    request: HttpRequest, actor: Actor, row: Campaign, do: str, moves: list[Move],
    target: Model | None,
) -> None:  # fmt: skip
    if do == "remind":
        reminded = remind_now(row, moves, actor=actor)
        messages.success(request, f"Reminded the owners of {_counted(reminded, 'move')}.")
        return
    if do == "move":
        ready = [each for each in moves if each.state == Move.State.READY]
        why = request.POST.get("override", "")
        begun = begin_moves(ready, actor=actor, override_reason=why)
        messages.success(request, f"Begun: {_counted(len(begun), 'cutover')}.")
        return
    refused: list[str] = []
    act = _act(do, target, actor)
    for each in moves:
        try:
            act(each)
        except DomainError as error:
            refused.append(f"{each.agent.name}: {sentence(error)}")
    messages.success(request, f"Done for {len(moves) - len(refused)} of {len(moves)} moves.")
    for text in refused[:10]:
        messages.error(request, text)


def _act(do: str, target: Model | None, actor: Actor) -> Callable[[Move], object]:
    to = target.public_id if target is not None else ""
    rule: dict[str, Any] = {"rule": "move", "to": to} if to else dict(PAUSE)
    return {
        "choose": lambda move: choose_candidate(move, to, actor=actor),
        "evaluate": lambda move: evaluate_again(move, actor=actor),
        "rule_move": lambda move: set_fallback(move, rule, actor=actor),
        "rule_pause": lambda move: set_fallback(move, rule, actor=actor),
    }[do]


def _preview(
    request: HttpRequest, actor: Actor, row: Campaign, do: str, moves: list[Move],
    target: Model | None,
) -> HttpResponse:  # fmt: skip
    lines = [(each, _why_not(actor, do, each, target)) for each in moves]
    taken = [each for each, why in lines if not why]
    context = {
        "campaign": row, "do": do, "lines": lines, "model": target, "what": TOGETHER[do],
        "title": _titled(do, len(taken)), "count": len(taken),
        "moves": ",".join(each.public_id for each in taken),
        "may_override": do == "move" and actor.has(Role.PLATFORM),
    }  # fmt: skip
    return render(request, "campaigns/preview.html", context)


def _titled(do: str, number: int) -> str:
    named = {"moves": _counted(number, "move"), "agents": _counted(number, "agent")}
    return TOGETHER[do].title.format(**named)


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _why_not(actor: Actor, do: str, move: Move, target: Model | None) -> str:
    if do == "remind":
        idle = "" if move.state in TO_DO else "there is nothing to do for its owner"
        return idle if actor.has(Role.PLATFORM) else "the platform team reminds"
    if not may_decide(actor, move) or move.is_over:
        return "it is over" if move.is_over else "its owner decides"
    if target is not None:
        return candidate_of(move, target).why_not
    if do == "move":
        return "" if move.state == Move.State.READY else "it is not ready"
    return "nothing is chosen" if do == "evaluate" and not move.candidate_id else ""
