"""What a soft launch is measured by, and when an agent was put back into one."""

from __future__ import annotations

from django.db import models
from django.db.models import F, Q

from effects.models.proposal import Proposal
from kernel.refs import Ref
from registry.models import Agent


class Correction(models.Model):
    """How far the arguments people decided on are from those that were asked: counts only."""

    proposal = models.OneToOneField(Proposal, on_delete=models.PROTECT, related_name="correction")
    paths = models.PositiveIntegerField()  # leaves of both versions
    paths_changed = models.PositiveIntegerField()
    words = models.PositiveIntegerField()  # of the texts that changed
    words_changed = models.PositiveIntegerField()
    made_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(paths_changed__lte=F("paths"), words_changed__lte=F("words")),
                name="effects_correction_part_of_whole",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.proposal_id}: {self.paths_changed} of {self.paths}"


class Demotion(models.Model):
    """One return from live to soft launch, by which rule and on which figures."""

    public_id = models.TextField(unique=True)  # dem_…
    agent = models.ForeignKey(Agent, on_delete=models.PROTECT, related_name="demotions")
    rule = models.TextField()  # launch.errors, launch.disagreement
    reason = models.TextField()
    figures = models.JSONField()
    told_at = models.DateTimeField(null=True, blank=True)  # when its owners were written to
    demoted_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=~Q(rule="") & ~Q(reason=""), name="effects_demotion_says_why"
            ),
        ]
        indexes = [models.Index(fields=["agent", "-demoted_at"], name="effects_demotion_newest")]

    def __str__(self) -> str:
        return f"{self.agent}: {self.rule}"

    @property
    def ref(self) -> Ref:
        return Ref("demotion", self.public_id)
