"""What can be done to many moves of one campaign at once: steps of a batch, agent by agent.

An agent has one move in a campaign, so the campaign and the agent name it. Each step is an action
that exists for one move; whoever is left out is named with why before anything is begun.
"""

from __future__ import annotations

from typing import Any, Final

from fleet.campaigns.actions.choosing import choose_candidate, evaluate_again
from fleet.campaigns.actions.reminding import TO_DO, remind_now
from fleet.campaigns.actions.resuming import PAUSABLE, pause_move, resume_move
from fleet.campaigns.actions.ruling import set_fallback
from fleet.campaigns.errors import MoveNotFound
from fleet.campaigns.models import PAUSE, Move
from fleet.retiring.actions.bulk_steps import Asked, BulkStep
from fleet.retiring.errors import BatchUnusable
from registry.actors import Actor
from registry.models import Agent
from routing.models import Model

OF: Final = "campaigns.move"
State = Move.State
_CHOOSABLE: Final = (State.OPEN, State.CONTESTED, State.EVALUATING, State.READY)


def _move(agent: Agent, asked: Asked) -> Move:
    rows = Move.objects.select_related(
        "campaign__model__vendor", "agent__owner", "agent__backup_owner", "agent__team",
        "agent__current_version", "candidate__vendor",
    )  # fmt: skip
    found = rows.filter(campaign__public_id=asked.get("campaign", ""), agent=agent).first()
    if found is None:
        raise MoveNotFound(f"{agent.name} has no move in this campaign.")
    return found


def model_named(said: str) -> Model:
    """Return the model of this id, or of this vendor/name. Raises: BatchUnusable."""
    vendor, _, name = said.strip().partition("/")
    rows = Model.objects.select_related("vendor")
    found = (
        rows.filter(vendor__name=vendor, name=name) if name else rows.filter(public_id=vendor)
    ).first()
    if found is None:
        raise BatchUnusable(f"There is no model {said[:80]!r}: write vendor/name.", field="to")
    return found


def _target(asked: Asked) -> Model:
    if not asked.get("to"):
        raise BatchUnusable("Name the model that they move to, as vendor/name.", field="to")
    return model_named(asked["to"])


def _rule(asked: Asked) -> dict[str, Any]:
    if not asked.get("to"):
        return dict(PAUSE)
    return {"rule": "move", "to": model_named(asked["to"]).public_id}


def _in(*states: str, needs_choice: bool = False, needs_open: bool = True) -> Any:
    def refuses(agent: Agent, asked: Asked) -> str:
        rows = Move.objects.filter(campaign__public_id=asked.get("campaign", ""), agent=agent)
        move = rows.select_related("campaign").first()
        if move is None:
            return "it has no move in this campaign"
        if needs_open and not move.campaign.is_open:
            return "the campaign has ended"
        if needs_choice and move.candidate_id is None:
            return "nothing is chosen for it"
        return "" if move.state in states else f"its move is {move.get_state_display().lower()}"

    return refuses


def _remind(agent: Agent, actor: Actor, reason: str, asked: Asked) -> object:
    move = _move(agent, asked)
    return remind_now(move.campaign, [move], actor=actor)


def _choose(agent: Agent, actor: Actor, reason: str, asked: Asked) -> object:
    return choose_candidate(_move(agent, asked), _target(asked).public_id, actor=actor)


def _evaluate(agent: Agent, actor: Actor, reason: str, asked: Asked) -> object:
    return evaluate_again(_move(agent, asked), actor=actor)


def _set_rule(agent: Agent, actor: Actor, reason: str, asked: Asked) -> object:
    return set_fallback(_move(agent, asked), _rule(asked), actor=actor)


def _pause(agent: Agent, actor: Actor, reason: str, asked: Asked) -> object:
    return pause_move(_move(agent, asked), reason, actor=actor)


def _resume(agent: Agent, actor: Actor, reason: str, asked: Asked) -> object:
    return resume_move(_move(agent, asked), reason, actor=actor)


_UNFINISHED: Final = tuple(
    state for state in State if state not in (State.DONE, State.PAUSED, State.UNNEEDED)
)
STEPS: Final = (
    BulkStep(
        "move_remind", "Remind owners",
        "Whoever answers for each agent is told now what there is to do, and by when.",
        _in(*TO_DO), _remind, of=OF,
    ),
    BulkStep(
        "move_choose", "Choose a model",
        "An evaluation begins for each, unless it has passed one: its calls count against the"
        " agents' budgets. An agent that cannot move there is left out with why.",
        _in(*_CHOOSABLE), _choose, fields=("to",), check=_target, of=OF,
    ),
    BulkStep(
        "move_evaluate", "Evaluate again",
        "What was chosen is compared once more: the calls count against the agents' budgets.",
        _in(State.OPEN, State.READY, needs_choice=True), _evaluate, of=OF,
    ),
    BulkStep(
        "move_rule", "Set the rule of the deadline",
        "What is not finished at the deadline moves to this model without a test, or is paused.",
        _in(*_UNFINISHED), _set_rule, fields=("to",), check=_rule, of=OF,
    ),
    BulkStep(
        "move_pause", "Pause",
        "Every call of theirs to the model is refused until somebody resumes them.",
        _in(*PAUSABLE), _pause, is_dangerous=True, of=OF,
    ),
    BulkStep(
        "move_resume", "Resume",
        "They may call the model again, and their owners are asked again where they move to.",
        _in(State.PAUSED, needs_open=False), _resume, of=OF,
    ),
)  # fmt: skip
