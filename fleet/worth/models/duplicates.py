"""Agents that do the same job: the groups that were found, why, and what people said of them.

Nothing here changes an agent. A word that two are different holds until either of them
changes in what was compared, which its digest tells.
"""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q

from kernel.refs import Ref
from registry.models import Agent


class DuplicateGroup(models.Model):
    """Some agents that look as if they did the same job; people say whether they do."""

    class State(models.TextChoices):
        OPEN = "open"
        CONFIRMED = "confirmed"  # the same job: one survives
        DIFFERENT = "different"
        GONE = "gone"  # no longer alike, or no longer there

    public_id = models.TextField(unique=True)  # dup_…
    state = models.TextField(choices=State.choices, default=State.OPEN)
    score_permille = models.PositiveIntegerField()  # of its most alike pair
    survivor = models.ForeignKey(
        Agent, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    because = models.TextField(blank=True, default="")
    found_at = models.DateTimeField()
    settled_at = models.DateTimeField(null=True, blank=True)
    settled_by = models.TextField(blank=True, default="")

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(state="open", settled_at__isnull=True, settled_by="")
                | ~Q(state="open") & Q(settled_at__isnull=False) & ~Q(settled_by=""),
                name="worth_duplicategroup_settled_iff_stamped",
            ),
        ]
        indexes = [
            models.Index(
                fields=["state", "-score_permille", "-public_id"], name="worth_group_state_idx"
            )
        ]

    def __str__(self) -> str:
        return self.public_id

    @property
    def ref(self) -> Ref:
        return Ref("duplicates", self.public_id)


class DuplicateMember(models.Model):
    """One agent in a group, as it was when it was compared."""

    class Step(models.TextChoices):
        """What a merge asks of the owner of an agent that does not survive."""

        NONE = "", "Nothing"
        ASKED = "asked", "Asked to move its callers and deprecate it"
        DONE = "done", "Done"
        DROPPED = "dropped", "No longer asked"

    group = models.ForeignKey(DuplicateGroup, on_delete=models.CASCADE, related_name="members")
    agent = models.ForeignKey(Agent, on_delete=models.CASCADE, related_name="+")
    material = models.TextField()  # the digest of what was compared
    is_open = models.BooleanField(default=True)  # its group is
    step = models.TextField(choices=Step.choices, blank=True, default="")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["group", "agent"], name="worth_duplicatemember_once"),
            models.UniqueConstraint(
                fields=["agent"],
                condition=Q(is_open=True),
                name="worth_duplicatemember_one_open_group",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.group_id}: {self.agent_id}"


class LikePair(models.Model):
    """Two agents of a group, how alike they are, and why, in words."""

    group = models.ForeignKey(DuplicateGroup, on_delete=models.CASCADE, related_name="pairs")
    one = models.ForeignKey(Agent, on_delete=models.CASCADE, related_name="+")
    other = models.ForeignKey(Agent, on_delete=models.CASCADE, related_name="+")
    score_permille = models.PositiveIntegerField()
    reasons = ArrayField(models.TextField())

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["group", "one", "other"], name="worth_likepair_once")
        ]

    def __str__(self) -> str:
        return f"{self.one_id} ~ {self.other_id}"


class Different(models.Model):
    """Somebody's word that two agents do different jobs; kept, and not asked again meanwhile."""

    one = models.ForeignKey(Agent, on_delete=models.CASCADE, related_name="+")
    other = models.ForeignKey(Agent, on_delete=models.CASCADE, related_name="+")
    one_material = models.TextField()
    other_material = models.TextField()
    because = models.TextField()
    said_by = models.TextField()
    said_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["one", "other"], name="worth_different_one_per_pair"),
            models.CheckConstraint(
                condition=Q(one__lt=F("other")) & ~Q(because=""), name="worth_different_in_order"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.one_id} is not {self.other_id}"


class LookMark(models.Model):
    """What of the fleet was compared last, and when; the same fleet is not compared again."""

    name = models.TextField(primary_key=True)
    fleet = models.TextField(blank=True, default="")  # a digest of what there was
    looked_at = models.DateTimeField(null=True, blank=True)
    agents = models.PositiveIntegerField(default=0)
    took_ms = models.PositiveIntegerField(default=0)

    def __str__(self) -> str:
        return self.name
