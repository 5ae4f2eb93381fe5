"""Campaigns: one answer to one change of one model.

Owns what a campaign is held to: one is open for each model, and it says why it ended. What
became of each agent is its move's to say.
"""

from __future__ import annotations

from typing import Any

from django.db import models
from django.db.models import Q

from kernel.refs import Ref
from routing.models import LifecycleChange, Model

PAUSE: dict[str, Any] = {"rule": "pause"}


def pausing() -> dict[str, Any]:
    """Give a campaign the rule that needs nothing else to be there."""
    return dict(PAUSE)


def is_fallback(field: str) -> Q:
    """Say that a column holds one of the two rules: pause, or move to a named model."""
    # Without the key, what follows is neither true nor false, and a check would let it pass.
    moves = {f"{field}__has_key": "to", f"{field}__rule": "move"}
    return Q(**{field: PAUSE}) | Q(**moves, **{f"{field}__to__startswith": "mod_"})


class Campaign(models.Model):
    """The response to what a vendor does with one model. Not the change itself."""

    class Kind(models.TextChoices):
        RETIREMENT = "retirement"
        PRICE = "price"
        RATE_LIMIT = "rate_limit", "Rate limit"
        ENDPOINT = "endpoint"
        API_VERSION = "api_version", "API version"

    class State(models.TextChoices):
        OPEN = "open"
        DONE = "done"
        UNNEEDED = "unneeded"

    public_id = models.TextField(unique=True)  # cmp_…
    model = models.ForeignKey(Model, on_delete=models.PROTECT, related_name="campaigns")
    kind = models.TextField(choices=Kind.choices, default=Kind.RETIREMENT)
    state = models.TextField(choices=State.choices, default=State.OPEN)
    due_on = models.DateField()  # the day, in UTC, on which nothing may depend on it any more
    date_precision = models.TextField(blank=True, default="")
    replacement = models.TextField(blank=True, default="")  # as its source names it
    source = models.TextField(blank=True, default="")
    as_of = models.TextField(blank=True, default="")
    # What it answers, where it was opened for a change other than an end.
    change = models.ForeignKey(
        LifecycleChange, null=True, blank=True, on_delete=models.SET_NULL, related_name="campaigns"
    )
    note = models.TextField(blank=True, default="")  # what whoever opened it says of it
    fallback = models.JSONField(default=pausing)  # for moves without a rule of their own
    opened_by = models.TextField()
    opened_at = models.DateTimeField()
    looked_at = models.DateTimeField()  # when its agents were looked for last
    fell_due_at = models.DateTimeField(null=True, blank=True)  # when every rule was carried out
    ended_at = models.DateTimeField(null=True, blank=True)
    ended_why = models.TextField(blank=True, default="")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["model"],
                condition=Q(state="open"),
                name="campaigns_campaign_one_open_per_model",
            ),
            models.CheckConstraint(
                condition=Q(state="open", ended_at__isnull=True, ended_why="")
                | ~Q(state="open") & Q(ended_at__isnull=False) & ~Q(ended_why=""),
                name="campaigns_campaign_ended_iff_said",
            ),
            models.CheckConstraint(
                condition=is_fallback("fallback"), name="campaigns_campaign_known_fallback"
            ),
        ]
        indexes = [
            models.Index(fields=["due_on", "public_id"], name="campaigns_campaign_due_idx"),
        ]

    def __str__(self) -> str:
        return f"{self.model} by {self.due_on}"

    @property
    def ref(self) -> Ref:
        return Ref("campaign", self.public_id)

    @property
    def is_open(self) -> bool:
        return self.state == self.State.OPEN

    def names(self, model: Model) -> bool:
        """Say whether its source gives a model as the replacement; Google's carry a prefix."""
        named = {name.strip().removeprefix("models/") for name in self.replacement.split(",")}
        return model.name.removeprefix("models/") in named
