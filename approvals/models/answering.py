"""What comes back over channels: links in mails, signed requests, and whose answers they are.

No row here holds a token: a link's is computed from the row under a key outside the database,
so a dump of the table opens nothing.
"""

from __future__ import annotations

from django.db import models
from django.db.models import F, Q

from approvals.models.channel import Channel, Notice
from approvals.models.review import Review
from registry.models import Person


class DecisionLink(models.Model):
    """A way to one review for one person, for one digest, once."""

    public_id = models.TextField(unique=True)  # lnk_…
    notice = models.ForeignKey(Notice, on_delete=models.PROTECT, related_name="links")
    review = models.ForeignKey(Review, on_delete=models.PROTECT, related_name="links")
    person = models.ForeignKey(Person, on_delete=models.PROTECT, related_name="+")
    digest = models.TextField()  # what the mail asked about
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField()  # with its review
    used_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["notice", "review"], name="approvals_decisionlink_one_per_notice"
            ),
            models.CheckConstraint(
                condition=Q(expires_at__gt=F("created_at")),
                name="approvals_decisionlink_expires_later",
            ),
        ]

    def __str__(self) -> str:
        return self.public_id


class Arrival(models.Model):
    """One signed request from outside, taken once."""

    class State(models.TextChoices):
        WAITING = "waiting"  # verified; the worker finds out whose it is
        DONE = "done"
        REFUSED = "refused"

    public_id = models.TextField(unique=True)  # arr_…
    channel = models.ForeignKey(Channel, on_delete=models.PROTECT, related_name="arrivals")
    key = models.TextField()  # what the sender calls it: webhook-id, trigger_id
    body_sha256 = models.TextField()
    review_id = models.TextField(blank=True, default="")  # rev_…
    asked = models.JSONField(default=dict)  # emptied when it is over
    answer = models.JSONField(default=dict)  # what was said, and is said again to a repeat
    person = models.ForeignKey(
        Person, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    state = models.TextField(choices=State.choices, default=State.WAITING)
    attempts = models.IntegerField(default=0)
    again_at = models.DateTimeField()
    leased_until = models.DateTimeField(null=True, blank=True)
    fence = models.BigIntegerField(default=0)
    arrived_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["channel", "key"], name="approvals_arrival_once"),
            models.CheckConstraint(
                condition=Q(state="waiting", ended_at__isnull=True)
                | (~Q(state="waiting") & Q(ended_at__isnull=False)),
                name="approvals_arrival_ended_iff_stamped",
            ),
        ]
        indexes = [
            models.Index(
                fields=["again_at"],
                condition=Q(state="waiting"),
                name="approvals_arrival_queue_idx",
            ),
        ]

    def __str__(self) -> str:
        return self.public_id


class NoticePreference(models.Model):
    """How one person wants mails about reviews. Without a row: each at once."""

    class Mail(models.TextChoices):
        NOW = "now", "Each at once"
        DIGEST = "digest", "Together, once a day"
        OFF = "off", "None"

    person = models.OneToOneField(Person, on_delete=models.PROTECT, related_name="notices")
    mail = models.TextField(choices=Mail.choices, default=Mail.NOW)
    digest_hour = models.PositiveSmallIntegerField(default=8)  # of the person's own time zone
    changed_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(digest_hour__lte=23), name="approvals_noticepreference_hour_of_a_day"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.person}: {self.mail}"


class SlackAccount(models.Model):
    """A person's own account in Slack, proved by a code that was sent to it."""

    public_id = models.TextField(unique=True)  # sla_…
    person = models.ForeignKey(Person, on_delete=models.PROTECT, related_name="slack_accounts")
    channel = models.ForeignKey(Channel, on_delete=models.PROTECT, related_name="accounts")
    slack_user = models.TextField()
    asked_at = models.DateTimeField()
    guesses = models.PositiveSmallIntegerField(default=0)
    sent_at = models.DateTimeField(null=True, blank=True)
    proved_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["channel", "slack_user"],
                condition=Q(proved_at__isnull=False),
                name="approvals_slackaccount_one_person",
            ),
            models.UniqueConstraint(
                fields=["channel", "person"], name="approvals_slackaccount_one_each"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.person}: {self.slack_user}"
