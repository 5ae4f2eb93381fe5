"""Who acts for whom, and which tools agents were seen with. The ledger is the evidence."""

from __future__ import annotations

from django.db import models
from django.db.models import F, Q


class Delegation(models.Model):
    """That one agent let another act for it. What it permits, the ledger says."""

    id = models.BigAutoField(primary_key=True)
    public_id = models.TextField(unique=True)  # dlg_…
    parent_id = models.TextField(blank=True, default="")  # the delegation it was made under
    acting_for = models.TextField()  # agt_… at the root of the chain
    from_agent = models.TextField()  # agt_…
    to_agent = models.TextField()
    run_id = models.TextField()  # the run that delegated
    depth = models.PositiveSmallIntegerField()
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(expires_at__gt=F("created_at")), name="routing_delegation_expires_later"
            ),
            models.CheckConstraint(
                condition=Q(depth__gte=1, depth__lte=5), name="routing_delegation_known_depth"
            ),
        ]
        indexes = [
            models.Index(fields=["from_agent", "-created_at"], name="routing_delegation_from_idx"),
            models.Index(fields=["to_agent", "-created_at"], name="routing_delegation_to_idx"),
            models.Index(fields=["run_id"], name="routing_delegation_run_idx"),
        ]

    def __str__(self) -> str:
        return self.public_id


class DelegationEnd(models.Model):
    """That a delegation was ended before its time, and everything made under it with it."""

    delegation_id = models.TextField(primary_key=True)  # dlg_…
    until = models.DateTimeField()  # when it would have ended anyway
    ended_by = models.TextField()
    ended_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.delegation_id} ended"


class RunLink(models.Model):
    """That a run did work for another one."""

    id = models.BigAutoField(primary_key=True)
    child_run = models.TextField()
    parent_run = models.TextField()
    child_agent = models.TextField()
    parent_agent = models.TextField()
    delegation_id = models.TextField(blank=True, default="")  # empty: a run of the same agent
    linked_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["child_run", "parent_run"], name="routing_runlink_one_per_pair"
            ),
            models.CheckConstraint(
                condition=~Q(child_run=F("parent_run")), name="routing_runlink_of_two"
            ),
        ]
        indexes = [
            models.Index(fields=["parent_run"], name="routing_runlink_parent_idx"),
            models.Index(fields=["child_agent", "-linked_at"], name="routing_runlink_child_idx"),
        ]

    def __str__(self) -> str:
        return f"{self.child_run} for {self.parent_run}"


class ToolUse(models.Model):
    """That an agent was seen with a tool on a day: offered, called, or refused."""

    class Use(models.TextChoices):
        OFFERED = "offered"
        CALLED = "called"
        REFUSED = "refused"

    id = models.BigAutoField(primary_key=True)
    agent_id = models.TextField()
    tool = models.TextField()
    use = models.TextField(choices=Use.choices)
    day = models.DateTimeField()  # its midnight, UTC

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["agent_id", "tool", "use", "day"], name="routing_tooluse_one_per_day"
            ),
            models.CheckConstraint(
                condition=Q(use__in=["offered", "called", "refused"]),
                name="routing_tooluse_known_use",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.agent_id} {self.use} {self.tool}"
