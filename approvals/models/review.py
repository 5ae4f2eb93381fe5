"""Questions put to people and their answers."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Coalesce

from kernel.refs import Ref
from registry.models import Person


class Review(models.Model):
    """A question about one digest, put to an audience; settled once, by the first quorum."""

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
        RESTORE = "restore", "Restoring a retired agent"
        CUTOVER = "cutover", "Moving agents to another model"

    class State(models.TextChoices):
        OPEN = "open"
        APPROVED = "approved"
        REJECTED = "rejected"
        EXPIRED = "expired"
        WITHDRAWN = "withdrawn"

    class Stakes(models.TextChoices):
        USUAL = "usual"
        HIGH = "high"  # irreversible, or money above the policy's line: decided one at a time

    public_id = models.TextField(unique=True)  # rev_…
    kind = models.TextField(choices=Kind.choices)
    subject = models.TextField()  # the reference asked about, such as agent:agt_…
    subject_name = models.TextField()  # how people know it
    digest = models.TextField()  # of the canonical subject: one changed byte voids the answer
    # Of what a decider made of it. From then on answers are to this one, and earlier ones lapse.
    edited_digest = models.TextField(blank=True, default="")
    question = models.TextField()
    justification = models.TextField(blank=True, default="")
    evidence = models.JSONField(default=dict)  # what the deciders were shown
    requester = models.ForeignKey(
        Person, on_delete=models.PROTECT, related_name="requested_reviews"
    )
    asked_by = models.TextField(blank=True, default="")  # the reference of who put it, an agent's
    about_agent = models.TextField(blank=True, default="")  # agt_…, where it is about one
    operation = models.TextField(blank=True, default="")  # what would be done, by its name
    stakes = models.TextField(choices=Stakes.choices, default=Stakes.USUAL)
    excluded = ArrayField(
        models.TextField(), default=list
    )  # person ids that may not decide (owners)
    # Whoever is in it may decide: role:security, team:<slug>, person:per_…
    audience = ArrayField(models.TextField())
    escalates_at = models.DateTimeField(null=True, blank=True)
    escalate_to = ArrayField(models.TextField(), default=list, blank=True)  # join from then on
    escalated_at = models.DateTimeField(null=True, blank=True)  # when that was noticed and said
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
            models.CheckConstraint(
                condition=Q(audience__len__gt=0), name="approvals_review_asks_somebody"
            ),
            models.CheckConstraint(
                condition=Q(escalates_at__isnull=True, escalate_to__len=0)
                | Q(escalates_at__isnull=False, escalate_to__len__gt=0),
                name="approvals_review_escalates_to_somebody",
            ),
            models.CheckConstraint(
                condition=Q(escalated_at__isnull=True) | Q(escalates_at__isnull=False),
                name="approvals_review_escalated_only_as_asked",
            ),
        ]
        indexes = [
            # The inbox: what is open in the order it ends, and for whom.
            models.Index(
                fields=["expires_at", "public_id"],
                condition=Q(state="open"),
                name="approvals_review_inbox_idx",
            ),
            GinIndex(
                fields=["audience"],
                condition=Q(state="open"),
                name="approvals_review_audience_idx",
            ),
            models.Index(
                fields=["escalates_at"],
                condition=Q(state="open", escalates_at__isnull=False),
                name="approvals_review_escalates_idx",
            ),
            models.Index(fields=["about_agent", "-created_at"], name="approvals_review_agent_idx"),
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

    @property
    def asked_digest(self) -> str:
        """The digest that an answer given now is to."""
        return self.edited_digest or self.digest

    @property
    def required_role(self) -> str:
        """The first role of the audience; empty where teams or people are asked."""
        roles = (ref.removeprefix("role:") for ref in self.audience if ref.startswith("role:"))
        return next(roles, "")


class ReviewDecision(models.Model):
    """One person's answer to one digest of one review; said once, never changed."""

    class Decision(models.TextChoices):
        APPROVE = "approve"
        REJECT = "reject"

    review = models.ForeignKey(Review, on_delete=models.PROTECT, related_name="decisions")
    decider = models.ForeignKey(Person, on_delete=models.PROTECT, related_name="review_decisions")
    # Whose right it was, when the decider stood in for somebody absent.
    on_behalf_of = models.ForeignKey(
        Person, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    decision = models.TextField(choices=Decision.choices)
    digest = models.TextField()  # what the answer is to
    is_edited = models.BooleanField(default=False)  # the decider made it what it is
    comment = models.TextField(blank=True, default="")
    # The channel whose one secret signed in the decider's name; no secret makes a quorum alone.
    signed_over = models.ForeignKey(
        "approvals.Channel", null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    created_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["review", "digest", "signed_over"],
                name="approvals_reviewdecision_one_per_secret",
            ),
            models.UniqueConstraint(
                fields=["review", "decider", "digest"], name="approvals_reviewdecision_one_each"
            ),
            models.UniqueConstraint(
                "review",
                "digest",
                Coalesce("on_behalf_of", "decider"),
                name="approvals_reviewdecision_one_per_right",
            ),
            models.CheckConstraint(
                condition=~Q(on_behalf_of=F("decider")),
                name="approvals_reviewdecision_not_for_oneself",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.decider}: {self.decision}"
