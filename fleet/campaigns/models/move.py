"""Moves: what becomes of one agent in a campaign.

Owns the states of a move and what each is held to. The figures are those of the agent's calls
to the campaign's model, as they were summed when its agents were last looked for.
"""

from __future__ import annotations

from typing import Any, Final

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from fleet.campaigns.models.campaign import Campaign, is_fallback
from kernel.refs import Ref
from registry.models import Agent
from routing.models import Model


class Move(models.Model):
    """One agent's way off a model, and the one place that says where it stands."""

    class State(models.TextChoices):
        OPEN = "open"  # nobody has chosen
        EVALUATING = "evaluating"
        READY = "ready"  # it passed, or nothing had to be passed
        SIGNING = "signing"
        SHIFTING = "shifting"
        CONTESTED = "contested"
        DONE = "done"
        PAUSED = "paused"
        UNNEEDED = "unneeded"

    public_id = models.TextField(unique=True)  # mov_…
    campaign = models.ForeignKey(Campaign, on_delete=models.PROTECT, related_name="moves")
    agent = models.ForeignKey(Agent, on_delete=models.CASCADE, related_name="moves")
    state = models.TextField(choices=State.choices, default=State.OPEN)
    ways = ArrayField(models.TextField(), default=list)
    calls = models.BigIntegerField(default=0)
    input_tokens = models.BigIntegerField(default=0)
    output_tokens = models.BigIntegerField(default=0)
    cost_micros = models.BigIntegerField(default=0)
    unpriced_calls = models.BigIntegerField(default=0)
    last_called_at = models.DateTimeField(null=True, blank=True)
    # What its newest calls show, once they were looked at: the longest of them in tokens, and
    # which parameters they send. Names only.
    longest_tokens = models.BigIntegerField(null=True, blank=True)
    streams = models.BooleanField(null=True, blank=True)
    parameters = ArrayField(models.TextField(), null=True, blank=True)
    described_at = models.DateTimeField(null=True, blank=True)
    candidate = models.ForeignKey(
        Model, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    chosen_by = models.TextField(blank=True, default="")
    chosen_at = models.DateTimeField(null=True, blank=True)
    fallback = models.JSONField(null=True, blank=True)  # null: as the campaign says
    evaluation_id = models.TextField(blank=True, default="")  # evl_…
    cutover_id = models.TextField(blank=True, default="")  # cut_…
    # Since when none of its calls may go there: whoever looks for such calls looks from here.
    cut_over_at = models.DateTimeField(null=True, blank=True)
    contested_by = models.TextField(blank=True, default="")
    contested_why = models.TextField(blank=True, default="")
    answered_by = models.TextField(blank=True, default="")
    answer = models.TextField(blank=True, default="")
    # Who says that the agent was adapted to the change and stays where it is, and how.
    adapted_by = models.TextField(blank=True, default="", db_default="")
    adapted_why = models.TextField(blank=True, default="", db_default="")
    reminded_days = models.SmallIntegerField(null=True, blank=True)  # of the newest reminder
    joined_at = models.DateTimeField()
    state_changed_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)
    ended_why = models.TextField(blank=True, default="")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["campaign", "agent"], name="campaigns_move_one_per_agent"
            ),
            models.CheckConstraint(
                condition=Q(state__in=["done", "paused", "unneeded"], ended_at__isnull=False)
                & ~Q(ended_why="")
                | Q(ended_at__isnull=True, ended_why="")
                & ~Q(state__in=["done", "paused", "unneeded"]),
                name="campaigns_move_ended_iff_said",
            ),
            models.CheckConstraint(
                condition=~Q(state__in=["evaluating", "ready", "signing", "shifting", "done"])
                | Q(candidate__isnull=False),
                name="campaigns_move_goes_somewhere",
            ),
            models.CheckConstraint(
                condition=~Q(state__in=["done", "paused"]) | Q(cut_over_at__isnull=False),
                name="campaigns_move_ended_was_cut_over",
            ),
            models.CheckConstraint(
                condition=Q(candidate__isnull=True, chosen_at__isnull=True, chosen_by="")
                | Q(candidate__isnull=False, chosen_at__isnull=False) & ~Q(chosen_by=""),
                name="campaigns_move_chosen_iff_stamped",
            ),
            models.CheckConstraint(
                condition=~Q(state="contested") | ~Q(contested_why="") & ~Q(contested_by=""),
                name="campaigns_move_contested_has_reason",
            ),
            models.CheckConstraint(
                condition=Q(adapted_by="", adapted_why="")
                | Q(state="unneeded") & ~Q(adapted_by="") & ~Q(adapted_why=""),
                name="campaigns_move_adapted_is_over",
            ),
            models.CheckConstraint(
                condition=Q(fallback__isnull=True) | is_fallback("fallback"),
                name="campaigns_move_known_fallback",
            ),
        ]
        indexes = [
            models.Index(
                fields=["campaign", "-cost_micros", "public_id"], name="campaigns_move_cost_idx"
            ),
            models.Index(
                fields=["agent"], condition=Q(ended_at__isnull=True), name="campaigns_move_open_idx"
            ),
        ]

    def __str__(self) -> str:
        return self.public_id

    @property
    def ref(self) -> Ref:
        return Ref("move", self.public_id)

    @property
    def is_over(self) -> bool:
        return self.state in OVER

    @property
    def rule(self) -> dict[str, Any]:
        """What happens at the deadline if nothing has happened before."""
        return dict(self.fallback or self.campaign.fallback)


STATES: Final = Move.State
OVER: Final = (STATES.DONE, STATES.PAUSED, STATES.UNNEEDED)
# Under way: an evaluation or a cutover says how it goes on.
UNDER_WAY: Final = (STATES.EVALUATING, STATES.READY, STATES.SIGNING, STATES.SHIFTING)
