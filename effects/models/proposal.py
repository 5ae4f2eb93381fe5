"""What an agent asked to do, how that was decided, and what became of it.

The row is the queue: every step is an update that names the state it leaves. What was asked
lies in the payload of the entry that recorded it, so it is destroyed with its key.
"""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from effects.models.connection import Operation
from kernel.refs import Ref
from registry.models import Agent, AgentVersion


class Proposal(models.Model):
    """One action of one agent, bound to its digest from the question to the effect."""

    class State(models.TextChoices):
        PROPOSED = "proposed"  # people are asked, or a check is awaited
        DENIED = "denied"  # by policy, by a check, or by a person
        EXPIRED = "expired"
        WITHDRAWN = "withdrawn"
        APPROVED = "approved"
        CLAIMED = "claimed"
        SENT = "sent"
        SUCCEEDED = "succeeded"
        FAILED = "failed"
        UNKNOWN = "unknown"

    WAITING = (State.PROPOSED,)
    UNDER_WAY = (State.APPROVED, State.CLAIMED, State.SENT)
    OVER = (State.DENIED, State.EXPIRED, State.WITHDRAWN, State.SUCCEEDED, State.FAILED)

    class Decided(models.TextChoices):
        """By whom or what a proposal stopped waiting."""

        POLICY = "policy", "The policy"
        CHECK = "check", "A check"
        PEOPLE = "people", "People"
        TIME = "time", "Nobody, in time"
        AGENT = "agent", "Its agent"
        OWNER = "owner", "Its owner"
        VOID = "void", "What it was bound to changed"

    public_id = models.TextField(unique=True)  # prp_…
    agent = models.ForeignKey(Agent, on_delete=models.PROTECT, related_name="proposals")
    version = models.ForeignKey(AgentVersion, on_delete=models.PROTECT, related_name="+")
    operation = models.ForeignKey(Operation, on_delete=models.PROTECT, related_name="proposals")
    run_id = models.TextField(blank=True, default="")  # run_…
    key_id = models.TextField()  # which of the agent's keys asked
    idempotency_key = models.TextField()
    request_digest = models.TextField()  # of what was sent: a key stands for one request
    # The action as it was asked, and as it was decided; they differ when a reviewer edited it.
    action_digest = models.TextField()
    action_entry = models.TextField()  # ent_… whose payload is the canonical action
    decided_digest = models.TextField(blank=True, default="")
    decided_entry = models.TextField(blank=True, default="")
    # Leaf arguments that a reviewer changed, and how many there were; null when nobody edited.
    edited_count = models.PositiveIntegerField(null=True, blank=True)
    argument_count = models.PositiveIntegerField(default=0)
    # Of agent, operation and arguments: what is asked again while it waits is one question.
    likeness = models.TextField(blank=True, default="")
    state = models.TextField(choices=State.choices, default=State.PROPOSED)
    decided_how = models.TextField(choices=Decided.choices, blank=True, default="")
    rule = models.TextField(blank=True, default="")  # what the policy answered
    is_asked = models.BooleanField(default=True)  # and whether it wants people
    reason = models.TextField(blank=True, default="")
    constraints = models.JSONField(default=dict)
    bundle_digest = models.TextField(blank=True, default="")
    input_digest = models.TextField(blank=True, default="")
    review_id = models.TextField(blank=True, default="")  # rev_…
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField()  # not approved, or not begun, by then means no
    decided_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["agent", "idempotency_key"], name="effects_proposal_one_per_key"
            ),
            models.UniqueConstraint(
                fields=["agent", "likeness"],
                condition=Q(state="proposed") & ~Q(likeness=""),
                name="effects_proposal_one_waits_alike",
            ),
            models.CheckConstraint(
                condition=Q(state="proposed", decided_at__isnull=True)
                | (~Q(state="proposed") & Q(decided_at__isnull=False)),
                name="effects_proposal_decided_iff_stamped",
            ),
            models.CheckConstraint(
                condition=(
                    Q(state__in=("denied", "expired", "withdrawn", "succeeded", "failed"))
                    & Q(ended_at__isnull=False)
                )
                | (
                    ~Q(state__in=("denied", "expired", "withdrawn", "succeeded", "failed"))
                    & Q(ended_at__isnull=True)
                ),
                name="effects_proposal_ended_iff_stamped",
            ),
            models.CheckConstraint(
                condition=~Q(
                    state__in=("approved", "claimed", "sent", "succeeded", "failed", "unknown"),
                    decided_digest="",
                ),
                name="effects_proposal_carried_out_as_decided",
            ),
        ]
        indexes = [
            models.Index(fields=["state", "expires_at"], name="effects_proposal_queue_idx"),
            models.Index(fields=["agent", "-created_at"], name="effects_proposal_agent_idx"),
            models.Index(fields=["-created_at", "-public_id"], name="effects_proposal_newest_idx"),
            models.Index(fields=["run_id"], name="effects_proposal_run_idx"),
            # What ended in a day is counted when the day is over.
            models.Index(
                fields=["ended_at"],
                condition=Q(ended_at__isnull=False),
                name="effects_proposal_ended_idx",
            ),
        ]

    def __str__(self) -> str:
        return self.public_id

    @property
    def ref(self) -> Ref:
        return Ref("proposal", self.public_id)


class AskedAgain(models.Model):
    """A further key under which an agent asked for what already waited."""

    proposal = models.ForeignKey(Proposal, on_delete=models.PROTECT, related_name="asked_again")
    agent = models.ForeignKey(Agent, on_delete=models.PROTECT, related_name="+")
    idempotency_key = models.TextField()
    request_digest = models.TextField()
    asked_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["agent", "idempotency_key"], name="effects_askedagain_one_per_key"
            )
        ]

    def __str__(self) -> str:
        return f"{self.idempotency_key}: {self.proposal_id}"


class Effect(models.Model):
    """The carrying out of one proposal: who holds it, under which number, and what came back."""

    class Reconciled(models.TextChoices):
        LOOKUP = "lookup", "The system was asked"
        PERSON = "person", "A person looked"

    public_id = models.TextField(unique=True)  # eff_…
    proposal = models.OneToOneField(Proposal, on_delete=models.PROTECT, related_name="carried_out")
    key = models.TextField(unique=True)  # the idempotency key outside, stable over retries
    fence = models.PositiveIntegerField(default=0)  # grows with every claim; an old one is refused
    claimed_by = models.TextField(blank=True, default="")
    leased_until = models.DateTimeField(null=True, blank=True)
    wire_digest = models.TextField(blank=True, default="")
    intent_entry = models.TextField(blank=True, default="")  # durable before the first byte leaves
    sent_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    outcome = models.JSONField(default=dict)  # a status and a reference; no content
    attempts = models.PositiveSmallIntegerField(default=0)
    again_at = models.DateTimeField(null=True, blank=True)  # the next look-up or retry
    reconciled_how = models.TextField(choices=Reconciled.choices, blank=True, default="")
    reconciled_by = models.TextField(blank=True, default="")
    reconciled_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(sent_at__isnull=True) | ~Q(intent_entry=""),
                name="effects_effect_intent_before_sending",
            ),
            models.CheckConstraint(
                condition=Q(reconciled_at__isnull=True, reconciled_how="", reconciled_by="")
                | (Q(reconciled_at__isnull=False) & ~Q(reconciled_how="") & ~Q(reconciled_by="")),
                name="effects_effect_reconciled_iff_signed",
            ),
        ]
        indexes = [models.Index(fields=["again_at"], name="effects_effect_again_idx")]

    def __str__(self) -> str:
        return self.public_id

    @property
    def ref(self) -> Ref:
        return Ref("effect", self.public_id)
