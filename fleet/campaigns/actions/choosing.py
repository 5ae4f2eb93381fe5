"""What owners decide about a move: where to, and that it is wrong.

The owner, the backup owner and the platform decide. A choice begins an evaluation where there is
something to evaluate; what has passed before need not pass again.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from django.db import transaction

from fleet.campaigns.actions.recording import AGREED, must_turn, note_move
from fleet.campaigns.actions.ruling import require_open, wanted_model
from fleet.campaigns.errors import MoveImpossible, NotContested, ReasonMissing
from fleet.campaigns.models import Move
from fleet.campaigns.queries.campaigns import require_say
from fleet.campaigns.queries.candidates import candidate_of
from fleet.evaluations.actions.beginning import begin_evaluation
from fleet.evaluations.errors import EvaluationRunning, NothingToEvaluate
from fleet.evaluations.models import Evaluation
from fleet.evaluations.queries.reports import is_good, latest_for
from fleet.telling.actions.telling import tell
from kernel import clock
from kernel.errors import DomainError
from ledger.verbs import Verb
from registry.actors import Actor
from registry.models import Role
from routing.models import Model

State = Move.State
LONGEST: Final = 2000
_CHOOSABLE: Final = (State.OPEN, State.CONTESTED, State.EVALUATING, State.READY)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one of several moves: done, or why not."""

    move: Move
    refused: str = ""


def choose_candidate(move: Move, model: str, *, actor: Actor, sample: int | None = None) -> Move:
    """Say which model an agent moves to; its evaluation begins, unless one has passed already.

    Records: move.chosen, evaluation.begun. Raises: NotYourMove, CampaignOver, MoveImpossible,
    MoveOver, MoveUnderWay, and what `begin_evaluation` raises.
    """
    require_say(actor, move)
    require_open(move)
    wanted = wanted_model(actor, model)
    found = candidate_of(move, wanted)
    if found.is_refused:
        raise MoveImpossible(f"{move.agent.name} cannot move to {wanted}: {found.why_not}.")
    with transaction.atomic():
        must_turn(
            move, State.READY, *_CHOOSABLE, candidate=wanted, chosen_by=str(actor.ref),
            chosen_at=clock.now(), evaluation_id="", contested_by="", contested_why="",
        )  # fmt: skip
        evaluation, why = _evaluated(move, wanted, actor, sample)
        if evaluation is not None:
            passed = is_good(evaluation, wanted)
            to = State.READY if passed else State.EVALUATING
            must_turn(move, to, State.READY, evaluation_id=evaluation.public_id)
        note_move(
            move, Verb.MOVE_CHOSEN, actor=actor,
            facts={"to": wanted.public_id, "model": str(wanted), "evaluation": move.evaluation_id,
                   "unevaluated": why},
        )  # fmt: skip
    return move


def choose_for(
    moves: Iterable[Move], model: str, *, actor: Actor, sample: int | None = None
) -> list[Outcome]:
    """Choose one model for several moves; each by itself, and told by itself.

    Records: move.chosen, evaluation.begun, for each.
    """
    outcomes = []
    for move in moves:
        try:
            outcomes.append(Outcome(choose_candidate(move, model, actor=actor, sample=sample)))
        except DomainError as error:
            outcomes.append(Outcome(move, error.detail))
    return outcomes


def evaluate_again(move: Move, *, actor: Actor, sample: int | None = None) -> Move:
    """Evaluate once more what was chosen. Records: move.chosen, evaluation.begun.

    Raises: as `choose_candidate`, and MoveImpossible where nothing was chosen.
    """
    if move.candidate is None:
        raise MoveImpossible("Choose a model first.")
    require_say(actor, move)
    require_open(move)
    chosen = move.candidate
    evaluation = begin_evaluation(
        agent=move.agent, baseline=move.campaign.model, candidates=[chosen], sample=sample,
        subject=move.ref, actor=actor,
    )  # fmt: skip
    with transaction.atomic():
        must_turn(
            move, State.EVALUATING, State.OPEN, State.READY, evaluation_id=evaluation.public_id
        )
        facts = {"to": chosen.public_id, "model": str(chosen), "evaluation": evaluation.public_id}
        note_move(move, Verb.MOVE_CHOSEN, actor=actor, facts={**facts})
    return move


@transaction.atomic
def contest_move(move: Move, why: str, *, actor: Actor) -> Move:
    """Say that a move is wrong: the agent does not use the model, or needs another one.

    Records: move.contested. Raises: NotYourMove, CampaignOver, ReasonMissing, MoveOver,
    MoveUnderWay.
    """
    require_say(actor, move)
    require_open(move)
    reason = said_why(why)
    must_turn(
        move, State.CONTESTED, State.OPEN, State.READY, State.EVALUATING,
        contested_by=str(actor.ref), contested_why=reason, answer="", answered_by="",
    )  # fmt: skip
    note_move(move, Verb.MOVE_CONTESTED, actor=actor, said=reason)
    tell(
        key=f"{move.public_id}:contested:{move.state_changed_at:%Y-%m-%dT%H:%M:%S.%f}",
        kind="move.contested",
        subject=move.ref,
        title=f"{move.agent.title}: its move from {move.campaign.model.name} is contested",
        lines=["Read why on its page, and answer: the move stands, or is not needed.",
               f"Unanswered, its rule is carried out by {move.campaign.due_on} all the same."],
        path=f"/campaigns/{move.campaign.public_id}/moves/{move.public_id}/",
        roles=[Role.PLATFORM],
    )  # fmt: skip
    return move


@transaction.atomic
def answer_contest(move: Move, answer: str, *, is_right: bool, actor: Actor) -> Move:
    """Answer an objection: it is right and the move is not needed, or the move stands.

    Records: move.answered, move.ended. Raises: RoleMissing, NotContested, ReasonMissing.
    """
    actor.require(Role.PLATFORM)
    said = said_why(answer)
    if move.state != State.CONTESTED:
        raise NotContested
    change: dict[str, Any] = {"answer": said, "answered_by": str(actor.ref)}
    if is_right:
        must_turn(move, State.UNNEEDED, State.CONTESTED, why=AGREED, **change)
    else:
        must_turn(move, State.OPEN, State.CONTESTED, candidate=None, evaluation_id="", **change)
    note_move(move, Verb.MOVE_ANSWERED, actor=actor, facts={"is_right": is_right}, said=said)
    if is_right:
        note_move(move, Verb.MOVE_ENDED, actor=actor, facts={"why": "contested"})
    return move


def _evaluated(
    move: Move, candidate: Model, actor: Actor, sample: int | None
) -> tuple[Evaluation | None, str]:
    """Return the evaluation of a choice, begun unless there is one; or why there is none."""
    baseline = move.campaign.model
    known = latest_for(move.agent, baseline, candidate)
    if known is not None and (known.state == Evaluation.State.RUNNING or is_good(known, candidate)):
        return known, ""
    try:
        begun = begin_evaluation(
            agent=move.agent, baseline=baseline, candidates=[candidate], sample=sample,
            subject=move.ref, actor=actor,
        )  # fmt: skip
    except NothingToEvaluate:
        return None, "nothing is recorded that could be asked again"
    except EvaluationRunning:
        return latest_for(move.agent, baseline, candidate), ""
    return begun, ""


def said_why(text: str) -> str:
    """Return why somebody says something, as it is kept. Raises: ReasonMissing."""
    said = text.strip()
    if not said or len(said) > LONGEST or "\x00" in said:
        raise ReasonMissing(f"Say why, in at most {LONGEST} characters.", field="reason")
    return said
