"""The list of a quarter, kept as it was shown, and what people answered to it.

The database refuses to change or delete a row of the list; an answer is said once.
"""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q

from fleet.worth.models.standing import Suggestion
from kernel.refs import Ref


class Quarter(models.Model):
    """One list: of a quarter that is over, or made before its end because somebody asked."""

    public_id = models.TextField(unique=True)  # qtr_…
    name = models.TextField()  # 2026-Q4
    since = models.DateField()
    until = models.DateField()  # the first day that is not in it
    is_final = models.BooleanField()
    rules = models.JSONField(default=dict)  # prices and limits it was made by
    made_by = models.TextField()
    made_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["name", "is_final"], name="worth_quarter_one_each"),
            models.CheckConstraint(
                condition=Q(until__gt=F("since")), name="worth_quarter_ends_later"
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def ref(self) -> Ref:
        return Ref("quarter", self.public_id)


class Listed(models.Model):
    """One agent on a list, with the evidence of that day. By name: it outlives the agent."""

    public_id = models.TextField(unique=True)  # lst_…
    quarter = models.ForeignKey(Quarter, on_delete=models.PROTECT, related_name="listed")
    agent_id = models.TextField()  # agt_…
    agent_name = models.TextField()
    title = models.TextField()
    owner = models.TextField()  # an address, as of then
    team = models.TextField(blank=True, default="")
    suggestion = models.TextField(choices=Suggestion.choices)
    reasons = ArrayField(models.TextField(), default=list)
    cost_micros = models.BigIntegerField()
    figures = models.JSONField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["quarter", "agent_id"], name="worth_listed_one_per_agent"
            )
        ]
        indexes = [
            models.Index(
                fields=["quarter", "-cost_micros", "-public_id"], name="worth_listed_cost_idx"
            ),
            models.Index(fields=["agent_id"], name="worth_listed_agent_idx"),
        ]

    def __str__(self) -> str:
        return f"{self.quarter_id}: {self.agent_name}"

    @property
    def ref(self) -> Ref:
        return Ref("listed", self.public_id)


class Answer(models.Model):
    """What was said to a suggestion: the owner's word first, then, if contested, the decision."""

    class Said(models.TextChoices):
        ACCEPTED = "accepted"
        CONTESTED = "contested"
        UPHELD = "upheld", "Upheld: the suggestion stands"
        LIFTED = "lifted", "Lifted: it is kept as it is"

    BY_OWNER = (Said.ACCEPTED, Said.CONTESTED)
    BY_PLATFORM = (Said.UPHELD, Said.LIFTED)

    listed = models.ForeignKey(Listed, on_delete=models.PROTECT, related_name="answers")
    said = models.TextField(choices=Said.choices)
    is_decision = models.BooleanField()
    because = models.TextField(blank=True, default="")
    said_by = models.TextField()
    said_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["listed", "is_decision"], name="worth_answer_one_of_each"
            ),
            models.CheckConstraint(
                condition=Q(is_decision=False, said__in=["accepted", "contested"])
                | Q(is_decision=True, said__in=["upheld", "lifted"]),
                name="worth_answer_by_whose_right",
            ),
            models.CheckConstraint(
                condition=Q(said="accepted") | ~Q(because=""), name="worth_answer_says_why"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.listed_id}: {self.said}"
