"""Where people are told of reviews: the channels, and each message as a row of the outbox.

A notice is written in the transaction that opens, escalates or settles its review, and sent by
the worker later: a receiver that is down delays its own messages and nothing else. A row holds
no text of a message; it is made when it is sent, from what the channel may carry then.
"""

from __future__ import annotations

from typing import Final

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from approvals.models.review import Review
from kernel.refs import Ref
from registry.models import Person

# From the harmless to the grave; a review that is about no single action stands above them.
EFFECTS: Final = ("read", "write", "message", "money", "delete")
ANY_EFFECT: Final = "any"


class Channel(models.Model):
    """One place that is told of reviews. Its secrets are sealed elsewhere."""

    class Kind(models.TextChoices):
        MAIL = "mail", "E-mail"
        SLACK = "slack", "Slack app"
        SLACK_HOOK = "slack_hook", "Slack incoming webhook"
        TEAMS = "teams", "Microsoft Teams"
        WEBHOOK = "webhook", "Signed webhook"

    class Carries(models.TextChoices):
        TITLE = "title", "The title and a link"
        SUMMARY = "summary", "What would be done, without its arguments"
        FULL = "full", "The whole action, arguments included"

    public_id = models.TextField(unique=True)  # chn_…
    name = models.TextField(unique=True)
    kind = models.TextField(choices=Kind.choices)
    # The URL of a webhook; the base of Slack's API; of a URL that is itself a secret, the host.
    address = models.TextField(blank=True, default="")
    place = models.TextField(blank=True, default="")  # the conversation in Slack
    workspace = models.TextField(blank=True, default="")  # the team in Slack; empty: any
    carries = models.TextField(choices=Carries.choices, default=Carries.TITLE)
    events = ArrayField(models.TextField(), default=list, blank=True)  # empty: every event
    kinds = ArrayField(models.TextField(), default=list, blank=True)  # empty: every kind
    audience = ArrayField(models.TextField(), default=list, blank=True)  # empty: whoever is asked
    agents = ArrayField(models.TextField(), default=list, blank=True)  # names; empty: all
    teams = ArrayField(models.TextField(), default=list, blank=True)  # slugs; empty: all
    # Besides reviews, what it is told of: incident, campaign …; * for everything; empty: nothing.
    tells = ArrayField(models.TextField(), default=list, blank=True, db_default=[])
    min_effect = models.TextField(blank=True, default="")  # of actions; empty: all
    decides_up_to = models.TextField(blank=True, default="")  # empty: nothing is decided here
    # Who knows the secret that answers are signed with: nothing of theirs is decided here.
    decides_by = models.TextField(blank=True, default="")
    # Plain http and addresses inside, as an administrator of the platform decided.
    allow_private = models.BooleanField(default=False)
    failures = models.IntegerField(default=0)  # in a row
    failure = models.TextField(blank=True, default="")  # one of a fixed list
    failing_since = models.DateTimeField(null=True, blank=True)
    again_at = models.DateTimeField(null=True, blank=True)
    tried_at = models.DateTimeField(null=True, blank=True)
    last_sent_at = models.DateTimeField(null=True, blank=True)
    paused_at = models.DateTimeField(null=True, blank=True)
    gone_at = models.DateTimeField(null=True, blank=True)  # the receiver said 410
    added_by = models.TextField()
    added_at = models.DateTimeField()
    removed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(min_effect__in=("", *EFFECTS)),
                name="approvals_channel_known_effect",
            ),
            models.CheckConstraint(
                condition=Q(decides_up_to__in=("", *EFFECTS, ANY_EFFECT)),
                name="approvals_channel_known_limit",
            ),
            # Teams' webhooks and Slack's incoming ones cannot be answered by a known person.
            models.CheckConstraint(
                condition=Q(decides_up_to="") | ~Q(kind__in=("slack_hook", "teams")),
                name="approvals_channel_decides_where_known",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def limit_title(self) -> str:
        """What may be decided here, in words."""
        named = {"": "Nothing", ANY_EFFECT: "Everything"}
        return named.get(self.decides_up_to, self.decides_up_to.capitalize())

    @property
    def ref(self) -> Ref:
        return Ref("channel", self.public_id)

    @property
    def door(self) -> Ref:
        """Who holds the secret that answers are signed with; apart, because the web opens it."""
        return Ref("channel_door", self.public_id)

    @property
    def state(self) -> str:
        for stamp, word in (
            (self.removed_at, "removed"),
            (self.gone_at, "gone"),
            (self.paused_at, "paused"),
        ):
            if stamp:
                return word
        return "failing" if self.failures else "running"


class Notice(models.Model):
    """One message to one receiver about one event; its id stays the same over every attempt."""

    class Event(models.TextChoices):
        OPENED = "opened"
        ESCALATED = "escalated"
        REMINDED = "reminded"
        SETTLED = "settled"
        TESTED = "tested"

    class State(models.TextChoices):
        WAITING = "waiting"
        SENT = "sent"
        SKIPPED = "skipped"  # settled before it left, or the receiver no longer wants it
        GIVEN_UP = "given_up", "Given up"

    public_id = models.TextField(unique=True)  # ntc_…
    channel = models.ForeignKey(Channel, on_delete=models.PROTECT, related_name="notices")
    review = models.ForeignKey(
        Review, null=True, blank=True, on_delete=models.PROTECT, related_name="notices"
    )
    person = models.ForeignKey(  # of a mail: whom it is to
        Person, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    event = models.TextField(choices=Event.choices)
    state = models.TextField(choices=State.choices, default=State.WAITING)
    is_digest = models.BooleanField(default=False)  # leaves with others in one mail
    attempts = models.IntegerField(default=0)
    failure = models.TextField(blank=True, default="")  # one of a fixed list
    again_at = models.DateTimeField()
    leased_until = models.DateTimeField(null=True, blank=True)
    fence = models.BigIntegerField(default=0)  # grows with every claim; the last one may conclude
    place = models.JSONField(default=dict)  # where the receiver has it: Slack's channel and time
    created_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(state="waiting", ended_at__isnull=True)
                | (~Q(state="waiting") & Q(ended_at__isnull=False)),
                name="approvals_notice_ended_iff_stamped",
            ),
            models.CheckConstraint(
                condition=Q(event="tested") | Q(review__isnull=False),
                name="approvals_notice_is_of_a_review",
            ),
            # An event of a review is told once to each.
            models.UniqueConstraint(
                fields=["review", "channel", "event"],
                condition=Q(person__isnull=True, review__isnull=False),
                name="approvals_notice_one_each",
            ),
            models.UniqueConstraint(
                fields=["review", "channel", "event", "person"],
                condition=Q(person__isnull=False, review__isnull=False),
                name="approvals_notice_one_each_person",
            ),
        ]
        indexes = [
            models.Index(
                fields=["again_at"], condition=Q(state="waiting"), name="approvals_notice_queue_idx"
            ),
            models.Index(fields=["channel", "-created_at"], name="approvals_notice_log_idx"),
            models.Index(fields=["-created_at", "-public_id"], name="approvals_notice_newest_idx"),
        ]

    def __str__(self) -> str:
        return f"{self.public_id} {self.event}"

    @property
    def ref(self) -> Ref:
        return Ref("notice", self.public_id)
