"""What becomes of the demo company's agents when a model of theirs ends, through the real actions.

One model ends three weeks from the day the demo is loaded, another one today, whatever the
vendors say just then: somebody set both by hand, and the reason says that it is a demo. Every
answer that a candidate gave is told as the past is; what it comes to is compared and judged by
the service itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from fleet.campaigns.actions.advancing import advance_moves, begin_moves
from fleet.campaigns.actions.choosing import choose_candidate, contest_move
from fleet.campaigns.actions.describing import describe_moves
from fleet.campaigns.actions.falling_due import carry_out_rules
from fleet.campaigns.actions.opening import end_settled, open_due
from fleet.campaigns.models import Campaign, Move
from fleet.cutovers.actions.moving import advance_now
from fleet.cutovers.actions.signing import sign_off
from fleet.cutovers.actions.stepping import step_cutovers
from fleet.cutovers.models import Cutover
from fleet.cutovers.queries.cutovers import bound_digest
from fleet.demo.company import SOURCE, Plan
from fleet.demo.counting import count_told
from fleet.demo.history import Again, Teller, Told
from fleet.evaluations.actions.ending import carry_out
from fleet.evaluations.models import Arm, Evaluation
from kernel import clock
from registry.actors import Actor
from routing.actions.overriding import OverrideDraft, override_fate
from routing.models import Model

_ENDS: Final = ("anthropic", "claude-sonnet-4-5-20250929", 21, "claude-sonnet-5-5")
_ENDS_TODAY: Final = ("gemini", "gemini-2.5-pro", 0, "gemini-3.5-flash-lite")
_TARGET: Final = ("anthropic", "claude-sonnet-5-5")
_OTHER: Final = ("openai", "gpt-6-luna")
_WHY: Final = "Demo data: the day is counted from when the demo was loaded."
_SAMPLE: Final = 80
_CAMPAIGNS, _MOVER = Actor.system("campaigns"), Actor.system("cutover")
_HOUR: Final = timedelta(hours=1)

# Whoever is moved, and how many hours ago that began: what they called before is told first.
BEGAN: Final = {"newsletter-builder": 150, "policy-redline": 60, "content-drafts": 30}
# The share of runs, and how many hours after the beginning it was reached.
_DONE: Final = ((1, 3), (10, 6), (50, 30), (100, 54), (100, 78))
_TO_HALF: Final = ((1, 3), (10, 6), (50, 18))


def begun_at(now: datetime) -> dict[str, datetime]:
    """Return from when on agents are on their way, by their names."""
    return {name: now - hours * _HOUR for name, hours in BEGAN.items()}


class Moving:
    """The campaign of the demo, move by move."""

    def __init__(self, keys: Sequence[tuple[Plan, str]], teller: Teller, *, actor: Actor) -> None:
        self._keys = {plan.name: (plan, key) for plan, key in keys}
        self._teller, self._actor, self._now = teller, actor, clock.now()

    def go(self) -> None:
        """Open campaigns, have owners decide, move some; what was told before is counted.

        Records: what every action records. Raises: what any of them raises.
        """
        self._open()
        self._move_whole("newsletter-builder", _DONE)
        self._move_whole("policy-redline", _TO_HALF)
        self._bring_back("policy-redline")
        self._move_whole("content-drafts", _TO_HALF)
        self._call_often("content-drafts", _TO_HALF[-1][1])
        self._wait_for_signatures("proposal-drafts")
        self._evaluate("dunning-letters", _TARGET, 5 * _HOUR)
        self._evaluate("knowledge-gardener", _OTHER, 7 * _HOUR, formless=0.3)
        with clock.held_at(self._now - 4 * _HOUR):
            contest_move(
                self._move("escalation-writer"),
                "It writes its last hand-over this week; then ticket-triage does it.",
                actor=self._owner("escalation-writer"),
            )
        # It waits: its vendor has no secret here.
        choose_candidate(
            self._move("quality-reports"), _model(*_TARGET).public_id,
            actor=self._owner("quality-reports"), sample=30,
        )  # fmt: skip
        self._count()
        advance_moves(actor=_CAMPAIGNS)
        describe_moves(actor=_CAMPAIGNS)

    def _open(self) -> None:
        began = self._now - 9 * 24 * _HOUR
        for vendor, name, days, replacement in (_ENDS, _ENDS_TODAY):
            with clock.held_at(began):
                draft = OverrideDraft(
                    retires_on=(self._now + timedelta(days=days)).date(),
                    deprecated_on=began.date(), date_precision="exact", replacement=replacement,
                    source=SOURCE, reason=_WHY,
                )  # fmt: skip
                override_fate(_model(vendor, name).public_id, draft, actor=self._actor)
        with clock.held_at(began):
            open_due(actor=_CAMPAIGNS)
        carry_out_rules(actor=_CAMPAIGNS)
        end_settled(actor=_CAMPAIGNS)

    def _move_whole(self, name: str, steps: Sequence[tuple[int, int]]) -> None:
        """Evaluate, sign, and go step by step; what is called meanwhile is told step by step."""
        began, owner = self._now - BEGAN[name] * _HOUR, self._owner(name)
        self._evaluate(name, _TARGET, BEGAN[name] * _HOUR)
        with clock.held_at(began + _HOUR):
            (cutover,) = begin_moves([self._move(name)], actor=owner)
        (_, first), *following = steps
        self._tell(name, began, began + first * _HOUR)
        with clock.held_at(began + first * _HOUR):
            digest = bound_digest(Cutover.objects.get(public_id=cutover))
            sign_off(cutover, digest=digest, actor=owner)
        at = first
        for _, hours in following:
            self._tell(name, began + at * _HOUR, began + hours * _HOUR)
            self._call_often(name, at, count=90)
            with clock.held_at(began + hours * _HOUR):
                self._count()
                advance_now(cutover, actor=self._actor, reason="Few calls come, and all is well.")
            at = hours
        if name != "policy-redline":
            self._tell(name, began + at * _HOUR, self._now)
        with clock.held_at(began + (at + 1) * _HOUR):
            advance_moves(actor=_CAMPAIGNS)

    def _bring_back(self, name: str) -> None:
        """Let its target fail at many calls: the sweep brings the agent back by itself."""
        at = self._now - (BEGAN[name] - _TO_HALF[-1][1]) * _HOUR
        with clock.held_at(at + _HOUR - timedelta(seconds=5)):
            step_cutovers(actor=_MOVER)
        self._call_often(name, _TO_HALF[-1][1], failing=0.4)
        with clock.held_at(at + _HOUR):
            self._count()
            step_cutovers(actor=_MOVER)
            advance_moves(actor=_CAMPAIGNS)
        self._tell(name, at + 3 * _HOUR, self._now)

    def _call_often(
        self, name: str, hours: int, failing: float = 0.0, count: int = 120
    ) -> datetime:
        """Tell many calls from so many hours after its beginning on; return that moment."""
        plan, key = self._keys[name]
        at = self._now - (BEGAN[name] - hours) * _HOUR
        self._teller.tell(
            Told(
                plan,
                key,
                f"{name}-often-{number}",
                at + timedelta(seconds=20 * number),
                failing=failing,
            )
            for number in range(1, count + 1)
        )
        return at

    def _wait_for_signatures(self, name: str) -> None:
        self._evaluate(name, _TARGET, 6 * _HOUR)
        with clock.held_at(self._now - 4 * _HOUR):
            begin_moves([self._move(name)], actor=self._owner(name))
            advance_moves(actor=_CAMPAIGNS)

    def _evaluate(
        self, name: str, candidate: tuple[str, str], ago: timedelta, *, formless: float = 0.0
    ) -> None:
        """Choose, tell what the models answered, and have it compared and judged."""
        at = self._now - ago
        with clock.held_at(at):
            move = choose_candidate(
                self._move(name), _model(*candidate).public_id, actor=self._owner(name),
                sample=_SAMPLE,
            )  # fmt: skip
            made = Evaluation.objects.get(public_id=move.evaluation_id)
        self._teller.tell(self._answers(name, made, at, formless))
        with clock.held_at(at + timedelta(minutes=20)):
            carry_out(made, actor=Actor.system("evaluation"))
            advance_moves(actor=_CAMPAIGNS)

    def _answers(self, name: str, made: Evaluation, at: datetime, formless: float) -> list[Told]:
        plan, key = self._keys[name]
        told = []
        for arm in made.arms.select_related("model__vendor"):
            model = arm.model
            assert model is not None  # noqa: S101  judges are asked of nothing here
            share = formless if arm.kind == Arm.Kind.CANDIDATE else 0.0
            for number, case in enumerate(made.cases.order_by("id")):
                again = Again(model.vendor.public_id, model.name, case.entry_id, made.public_id)
                moment = at + timedelta(seconds=2 * number)
                told.append(Told(plan, key, arm.label, moment, again, 0.0, share))
        return told

    def _tell(self, name: str, since: datetime, until: datetime) -> None:
        past = self._teller.past_of([self._keys[name]], since=since, until={name: until})
        self._teller.tell(list(past))

    def _count(self) -> None:
        count_told(actor=self._actor)

    def _move(self, name: str) -> Move:
        return Move.objects.select_related(
            "agent__owner", "agent__current_version", "campaign__model__vendor", "candidate"
        ).get(
            agent__name=name, campaign__model=_model(*_ENDS[:2]),
            campaign__state=Campaign.State.OPEN,
        )  # fmt: skip

    def _owner(self, name: str) -> Actor:
        return Actor.of(self._move(name).agent.owner)


def _model(vendor: str, name: str) -> Model:
    return Model.objects.select_related("vendor").get(vendor__name=vendor, name=name)
