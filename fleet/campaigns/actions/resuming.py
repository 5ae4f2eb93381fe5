"""Pausing agents by hand, letting paused ones go on, and undoing what a deadline did.

A pause is a shift without a target, so letting go is ending it. What people paused is theirs to
resume; what a deadline paused is resumed where its day turns out to lie ahead.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta
from typing import Final

from django.db import transaction
from django.db.models import Q

from fleet.campaigns.actions.falling_due import MOVED, PAUSED
from fleet.campaigns.actions.recording import must_turn, note_move, turn
from fleet.campaigns.actions.ruling import require_open
from fleet.campaigns.actions.saying import tell_owner
from fleet.campaigns.errors import MoveUnderWay, NotPaused, ReasonMissing
from fleet.campaigns.models import Campaign, Move
from fleet.cutovers.actions.leaving import leave_waiting
from kernel import clock
from ledger.verbs import Verb
from registry.actors import Actor
from registry.models import Role
from routing.actions.models import enable_model
from routing.actions.shifting import end_shifts, set_shift
from routing.errors import NotDisabled
from routing.models import Shift

State = Move.State
LONGEST: Final = 2000
_BY_HAND: Final = "Paused by the platform team."
_LET_GO: Final = "The platform team let it go on after the campaign."
PAUSABLE: Final = (State.OPEN, State.CONTESTED, State.EVALUATING, State.READY, State.SIGNING)
# The deadline disables a model in the transaction in which it says so.
_TOGETHER: Final = timedelta(minutes=1)


@transaction.atomic
def pause_move(move: Move, why: str, *, actor: Actor) -> Move:
    """Pause an agent's calls to the model now; they are refused until somebody resumes them.

    A cutover that waits for its signature is left; one that has started is rolled back first.
    Records: shift.set, move.ended, cutover.left. Raises: RoleMissing, ReasonMissing, CampaignOver,
    MoveOver, MoveUnderWay.
    """
    actor.require(Role.PLATFORM)
    require_open(move)
    reason = _said(why)
    must_turn(move, State.PAUSED, *PAUSABLE, why=_BY_HAND, cut_over_at=clock.now())
    leave_waiting(move.agent, move.campaign.model, why=_BY_HAND, actor=actor, starts_rest=True)
    set_shift(
        [move.agent], move.campaign.model, None, percent=100, reason=reason, actor=actor,
        subject=move.ref,
    )  # fmt: skip
    note_move(move, Verb.MOVE_ENDED, actor=actor, facts={"why": "paused"}, said=reason)
    return move


@transaction.atomic
def resume_move(move: Move, why: str, *, actor: Actor) -> Move:
    """Let a paused agent call the model again, and ask again where it moves to.

    In a campaign that has ended its pause is ended alone: nobody is asked any more.
    Records: shift.ended, move.reopened or move.ended. Raises: RoleMissing, ReasonMissing,
    NotPaused, MoveUnderWay.
    """
    actor.require(Role.PLATFORM)
    reason = _said(why)
    if move.state != State.PAUSED:
        raise NotPaused(f"{move.agent.name} is not paused.", state=move.state)
    if move.campaign.model.disabled_at is not None:
        raise MoveUnderWay("The model is disabled: nothing calls it. Enable it first.")
    if not move.campaign.is_open:
        _let_go(move, reason, actor)
    elif not _resumed(move, reason, actor=actor, code="resumed"):
        raise MoveUnderWay(f"{move.agent.name} has just been resumed.")
    return move


def undo_deadline(campaign: Campaign, *, why: str, actor: Actor) -> int:
    """Undo what the deadline of a locked campaign did: the model is enabled, paused agents go on.

    Agents that their rule moved stay where they are. Return how many go on.
    Records: model.enabled, shift.ended, move.reopened.
    """
    fell_due_at, model = campaign.fell_due_at, campaign.model
    assert fell_due_at is not None  # noqa: S101  whoever asks has looked
    campaign.fell_due_at = None
    campaign.save(update_fields=["fell_due_at"])
    # Who disabled it before or since had a reason of their own.
    if model.disabled_at and timedelta() <= model.disabled_at - fell_due_at <= _TOGETHER:
        with suppress(NotDisabled):  # somebody was quicker
            enable_model(model.public_id, actor=actor)
    resumed = 0
    paused, moved = Q(state=State.PAUSED, ended_why=PAUSED), Q(state=State.DONE, ended_why=MOVED)
    rows = Move.objects.filter(paused | moved, campaign=campaign).select_related(
        "agent__owner", "agent__backup_owner", "campaign__model__vendor", "candidate__vendor"
    )
    for move in rows:
        if move.state == State.PAUSED:
            goes_on = _resumed(move, f"The deadline was undone: {why}.", actor=actor, code="undone")
            resumed += goes_on
            said = "It may call the model again. Choose where it moves to."
        else:
            said = f"It stays where its rule moved it: {move.candidate}."
        tell_owner(
            move,
            about=f"undone:{campaign.due_on}:{fell_due_at:%Y-%m-%dT%H:%M:%S}",
            title=f"{move.agent.title}: the deadline of {model.name} was undone",
            lines=[f"{model}: {why}.", said],
        )
    return resumed


def _let_go(move: Move, why: str, actor: Actor) -> None:
    # A later campaign of the model may hold the agent for reasons of its own.
    pauses = Shift.objects.filter(
        agent_id=move.agent.public_id, source=move.campaign.model, target__isnull=True,
        ended_at__isnull=True, subject=str(move.ref),
    )  # fmt: skip
    must_turn(move, State.UNNEEDED, State.PAUSED, why=_LET_GO, cut_over_at=None)
    end_shifts(list(pauses), reason=why, actor=actor, subject=move.ref)
    note_move(move, Verb.MOVE_ENDED, actor=actor, facts={"why": "let_go"}, said=why)


def _resumed(move: Move, why: str, *, actor: Actor, code: str) -> bool:
    if not turn(move, State.OPEN, State.PAUSED, cut_over_at=None, cutover_id=""):
        return False
    pauses = Shift.objects.filter(
        agent_id=move.agent.public_id, source=move.campaign.model, target__isnull=True,
        ended_at__isnull=True,
    )  # fmt: skip
    end_shifts(list(pauses), reason=why, actor=actor, subject=move.ref)
    note_move(move, Verb.MOVE_REOPENED, actor=actor, facts={"why": code})
    return True


def _said(text: str) -> str:
    said = text.strip()
    if not said or len(said) > LONGEST or "\x00" in said:
        raise ReasonMissing(f"Say why, in at most {LONGEST} characters.", field="reason")
    return said
