"""Cutovers: agents moved from one model to another by steps, each step held to limits."""

from __future__ import annotations

from typing import Any, Final

from django.db import models
from django.db.models import F, Q

from kernel.refs import Ref
from registry.models import Agent, Person
from routing.models import Model

BACK_DAYS: Final = 14  # for so long after it is done the way back is one button


class Cutover(models.Model):
    """The way of some agents from a source to a target, agreed to, step by step, and back."""

    class State(models.TextChoices):
        SIGNING = "signing", "waits for signatures"
        RUNNING = "running"
        PAUSED = "paused"
        DONE = "done"
        SETTLED = "settled", "settled into the routes"
        ROLLED_BACK = "rolled_back", "rolled back"
        CANCELLED = "cancelled"

    MOVING: Final = (State.RUNNING, State.PAUSED)
    OVER: Final = (State.SETTLED, State.ROLLED_BACK, State.CANCELLED)

    public_id = models.TextField(unique=True)  # cut_…
    source = models.ForeignKey(Model, on_delete=models.PROTECT, related_name="+")
    target = models.ForeignKey(Model, on_delete=models.PROTECT, related_name="+")
    subject = models.TextField(blank=True, default="")  # the reference of what it is done for
    state = models.TextField(choices=State.choices, default=State.SIGNING)
    # [{"percent", "hold_seconds", "least_calls"}], the last of 100 %; held to `fleet.cutovers.plan`
    steps = models.JSONField()
    limits = models.JSONField()
    step = models.PositiveSmallIntegerField(default=0)  # which of them, while it moves
    step_began_at = models.DateTimeField(null=True, blank=True)
    held_because = models.TextField(blank=True, default="")  # what the step waits for now
    needs_security = models.BooleanField(default=False)
    security_review = models.TextField(blank=True, default="")  # rev_… of the last that was asked
    security_agreed_at = models.DateTimeField(null=True, blank=True)
    # Why it goes ahead though an agent's evaluation has not passed; then security decides too.
    override_reason = models.TextField(blank=True, default="")
    begun_by = models.ForeignKey(Person, null=True, on_delete=models.PROTECT, related_name="+")
    begun_as = models.TextField()  # the reference of who acted
    begun_at = models.DateTimeField()
    started_at = models.DateTimeField(null=True, blank=True)
    done_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    ended_reason = models.TextField(blank=True, default="")
    looked_at = models.DateTimeField(null=True, blank=True)  # by the sweep, last
    # When a look at it last broke off: such a one is looked at after all others.
    failed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=~Q(source=F("target")), name="cutovers_cutover_to_another"
            ),
            models.CheckConstraint(
                condition=Q(
                    state__in=["settled", "rolled_back", "cancelled"], ended_at__isnull=False
                )
                | Q(state__in=["signing", "running", "paused", "done"], ended_at__isnull=True),
                name="cutovers_cutover_ended_iff_stamped",
            ),
            models.CheckConstraint(
                condition=Q(state__in=["signing", "cancelled"]) | Q(started_at__isnull=False),
                name="cutovers_cutover_moves_once_started",
            ),
        ]
        indexes = [
            models.Index(fields=["-begun_at", "-public_id"], name="cutovers_cutover_newest_idx"),
            models.Index(fields=["subject"], name="cutovers_cutover_subject_idx"),
            models.Index(
                fields=["looked_at"],
                condition=Q(state__in=["running", "paused", "done"]),
                name="cutovers_cutover_look_idx",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.public_id} {self.state}"

    @property
    def ref(self) -> Ref:
        return Ref("cutover", self.public_id)

    @property
    def percent(self) -> int:
        """The share of runs that its agents have now."""
        if self.state in {self.State.DONE, self.State.SETTLED}:
            return 100
        return int(self.present["percent"]) if self.state in self.MOVING else 0

    @property
    def present(self) -> dict[str, Any]:
        """The step that it is in, or begins with."""
        found: dict[str, Any] = self.steps[min(self.step, len(self.steps) - 1)]
        return found


class CutoverAgent(models.Model):
    """One agent on its way: what its owner agreed to, and where it stands."""

    class State(models.TextChoices):
        WAITING = "waiting", "waits for a signature"
        SIGNED = "signed"
        SHIFTING = "shifting"
        DONE = "done"
        ROLLED_BACK = "rolled_back", "rolled back"
        LEFT_OUT = "left_out", "left out"

    cutover = models.ForeignKey(Cutover, on_delete=models.PROTECT, related_name="agents")
    agent = models.ForeignKey(Agent, on_delete=models.PROTECT, related_name="+")
    state = models.TextField(choices=State.choices, default=State.WAITING)
    evaluation = models.TextField(blank=True, default="")  # evl_…
    evaluation_digest = models.TextField(blank=True, default="")
    has_passed = models.BooleanField(default=False)
    signed_by = models.ForeignKey(
        Person, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    signed_as = models.TextField(blank=True, default="")  # owner, backup owner
    signed_digest = models.TextField(blank=True, default="")  # what the signature is to
    signed_at = models.DateTimeField(null=True, blank=True)
    shift = models.TextField(blank=True, default="")  # shf_…
    # A route of its leads to the target: the way back is a shift the other way.
    is_settled = models.BooleanField(default=False, db_default=False)
    why = models.TextField(blank=True, default="")  # of the way back, or of being left out
    changed_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["cutover", "agent"], name="cutovers_cutoveragent_once"),
            models.CheckConstraint(
                condition=Q(signed_at__isnull=True, signed_by__isnull=True, signed_digest="")
                | Q(signed_at__isnull=False, signed_by__isnull=False) & ~Q(signed_digest=""),
                name="cutovers_cutoveragent_signed_iff_stamped",
            ),
            models.CheckConstraint(
                condition=Q(state__in=["waiting", "left_out"]) | Q(signed_at__isnull=False),
                name="cutovers_cutoveragent_moves_once_signed",
            ),
        ]
        indexes = [models.Index(fields=["agent", "-id"], name="cutovers_cutoveragent_of_idx")]

    def __str__(self) -> str:
        return f"{self.agent} {self.state}"


class CutoverEvent(models.Model):
    """What happened, as its page tells it. The ledger is the evidence; this is its index."""

    cutover = models.ForeignKey(Cutover, on_delete=models.PROTECT, related_name="events")
    agent = models.ForeignKey(
        Agent, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    kind = models.TextField()  # the verb that is on the ledger, less its noun
    actor = models.TextField()
    text = models.TextField()
    at = models.DateTimeField()
    entry_id = models.TextField(blank=True, default="", db_default="")  # ent_… on the ledger
    # Of a way back by itself: so long after a look that found nothing.
    since_look_ms = models.BigIntegerField(null=True, blank=True)

    class Meta:
        indexes = [models.Index(fields=["cutover", "-id"], name="cutovers_event_newest_idx")]

    def __str__(self) -> str:
        return f"{self.kind}: {self.text}"
