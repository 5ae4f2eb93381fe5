"""Golden cases: what an agent is asked, and what must come of it, kept for every evaluation.

What is asked and what is expected lie sealed in the payload of the entry that recorded the
case, under the agent's keys: erasing the agent's data destroys them, and the row stays.
"""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from kernel.refs import Ref
from registry.models import Agent


class GoldenCase(models.Model):
    """One version of one case of one agent. A change is a new version, never an edit."""

    class Source(models.TextChoices):
        HAND = "hand", "By hand"
        STEP = "step", "From a recorded step"
        CORRECTION = "correction", "From a reviewer's correction"

    class Expects(models.TextChoices):
        EXACT = "exact", "Exactly this text"
        JSON = "json", "JSON that fits a schema"
        TOOL = "tool", "This call of a tool"
        CONTAINS = "contains", "A text that contains"
        MATCHES = "matches", "A text that matches"
        RUBRIC = "rubric", "What a judge model finds good"

    class State(models.TextChoices):
        LIVE = "live"
        REPLACED = "replaced"
        RETIRED = "retired"

    public_id = models.TextField(unique=True)  # gld_…
    agent = models.ForeignKey(Agent, on_delete=models.PROTECT, related_name="golden_cases")
    name = models.SlugField(max_length=63)  # an identifier, not a text: it is shown in the clear
    number = models.PositiveIntegerField(default=1)
    expects = models.TextField(choices=Expects.choices)
    source = models.TextField(choices=Source.choices, default=Source.HAND)
    source_id = models.TextField(blank=True, default="")  # ent_… of the step, prp_… corrected
    route = models.TextField()  # by which the agent asks
    operation = models.TextField(default="chat")
    entry_id = models.TextField()  # ent_… whose payload is the case
    tag = models.TextField(blank=True, default="")  # whose data is in it, or nobody's
    digest = models.TextField()  # of what is sealed
    state = models.TextField(choices=State.choices, default=State.LIVE)
    added_by = models.TextField()
    added_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["agent", "name"],
                condition=Q(state="live"),
                name="evaluations_golden_one_live",
            ),
            models.UniqueConstraint(
                fields=["agent", "name", "number"], name="evaluations_golden_one_per_number"
            ),
            models.CheckConstraint(
                condition=Q(state="live", ended_at__isnull=True)
                | ~Q(state="live") & Q(ended_at__isnull=False),
                name="evaluations_golden_ended_iff_not_live",
            ),
        ]
        indexes = [models.Index(fields=["agent", "state"], name="evaluations_golden_agent_idx")]

    def __str__(self) -> str:
        return f"{self.name} {self.number}"

    @property
    def ref(self) -> Ref:
        return Ref("golden_case", self.public_id)
