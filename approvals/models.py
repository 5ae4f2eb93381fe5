"""Questions put to people and their answers."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from kernel.refs import Ref
from registry.models import Person, Role


class Review(models.Model):
    """A question about one digest, put to people of a role; settled once, by the first quorum."""

    class Kind(models.TextChoices):
        REGISTRATION = "registration"
        VERSION = "version"
        PROMOTION = "promotion"
        STOP_LIFT = "stop_lift", "Lifting a stop"
        HOLD_END = "hold_end", "Ending a legal hold"
        ERASURE = "erasure", "Erasing payloads"
        PROPOSAL = "proposal", "An agent's action"
        POLICY = "policy", "Activating a policy"
        GRANT = "grant", "Granting data to a vendor"

    class State(models.TextChoices):
        OPEN = "open"
        APPROVED = "approved"
        REJECTED = "rejected"
        EXPIRED = "expired"
        WITHDRAWN = "withdrawn"

    public_id = models.TextField(unique=True)  # rev_…
    kind = models.TextField(choices=Kind.choices)
    subject = models.TextField()  # the reference asked about, such as agent:agt_…
    subject_name = models.TextField()  # how people know it
    digest = models.TextField()  # of the canonical subject: one changed byte voids the answer
    question = models.TextField()
    justification = models.TextField(blank=True, default="")
    evidence = models.JSONField(default=dict)  # what the deciders were shown
    requester = models.ForeignKey(
        Person, on_delete=models.PROTECT, related_name="requested_reviews"
    )
    excluded = ArrayField(
        models.TextField(), default=list
    )  # person ids that may not decide (owners)
    required_role = models.TextField(choices=Role.choices)
    quorum = models.PositiveSmallIntegerField(default=1)
    state = models.TextField(choices=State.choices, default=State.OPEN)
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    settled_at = models.DateTimeField(null=True, blank=True)
    redeemed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(state="open", settled_at__isnull=True)
                | (~Q(state="open") & Q(settled_at__isnull=False)),
                name="approvals_review_settled_iff_stamped",
            ),
            models.CheckConstraint(
                condition=Q(quorum__gte=1), name="approvals_review_quorum_from_one"
            ),
            models.UniqueConstraint(
                fields=["subject", "kind"],
                condition=Q(state="open"),
                name="approvals_review_one_open_per_subject",
            ),
            models.CheckConstraint(
                condition=Q(redeemed_at__isnull=True) | Q(state="approved"),
                name="approvals_review_redeemed_only_approved",
            ),
        ]
        indexes = [
            models.Index(
                fields=["state", "required_role", "expires_at"], name="approvals_review_inbox_idx"
            ),
            models.Index(fields=["subject", "-id"], name="approvals_review_subject_idx"),
            models.Index(fields=["-created_at", "-public_id"], name="approvals_review_newest_idx"),
        ]

    def __str__(self) -> str:
        return f"{self.public_id} {self.question}"

    @property
    def ref(self) -> Ref:
        return Ref("review", self.public_id)

    @property
    def subject_ref(self) -> Ref:
        return Ref.parse(self.subject)


class ReviewDecision(models.Model):
    """One person's answer to one review; said once, never changed."""

    class Decision(models.TextChoices):
        APPROVE = "approve"
        REJECT = "reject"

    review = models.ForeignKey(Review, on_delete=models.PROTECT, related_name="decisions")
    decider = models.ForeignKey(Person, on_delete=models.PROTECT, related_name="review_decisions")
    decision = models.TextField(choices=Decision.choices)
    comment = models.TextField(blank=True, default="")
    created_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["review", "decider"], name="approvals_reviewdecision_one_each"
            )
        ]

    def __str__(self) -> str:
        return f"{self.decider}: {self.decision}"
