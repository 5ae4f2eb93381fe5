"""Messages and their copies: a message is written once, and each receiver has one copy.

A copy of a person is an item of the list under the bell, and a mail where mails leave; a copy of
a channel is sent there. A message holds names and numbers of our own making, never a secret and
never what an agent wrote.
"""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from approvals.models import Channel
from kernel.refs import Ref
from registry.models import Person


class Message(models.Model):
    """What is told, once under its key."""

    public_id = models.TextField(unique=True)  # msg_…
    key = models.TextField(unique=True)
    kind = models.TextField()  # such as incident.opened; before the dot, what channels choose by
    subject = models.TextField()
    title = models.TextField()
    lines = ArrayField(models.TextField(), default=list, blank=True)
    path = models.TextField()  # of the page that it leads to
    is_urgent = models.BooleanField(default=False)
    created_at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["subject"], name="telling_message_subject_idx")]

    def __str__(self) -> str:
        return self.public_id

    @property
    def ref(self) -> Ref:
        return Ref("message", self.public_id)

    @property
    def topic(self) -> str:
        return self.kind.partition(".")[0]


class Copy(models.Model):
    """One message for one receiver, and whether it was sent and read."""

    class State(models.TextChoices):
        KEPT = "kept", "In the list only"
        WAITING = "waiting", "Waiting"
        SENT = "sent", "Sent"
        SKIPPED = "skipped", "Not needed any more"
        GIVEN_UP = "given_up", "Given up"

    public_id = models.TextField(unique=True)  # cpy_…
    message = models.ForeignKey(Message, on_delete=models.PROTECT, related_name="copies")
    person = models.ForeignKey(
        Person, null=True, blank=True, on_delete=models.PROTECT, related_name="told"
    )
    channel = models.ForeignKey(
        Channel, null=True, blank=True, on_delete=models.PROTECT, related_name="told"
    )
    state = models.TextField(choices=State.choices, default=State.WAITING)
    is_quiet = models.BooleanField(default=False)  # leaves with others in one mail
    read_at = models.DateTimeField(null=True, blank=True)
    attempts = models.IntegerField(default=0)
    failure = models.TextField(blank=True, default="")  # one of a fixed list
    again_at = models.DateTimeField()
    leased_until = models.DateTimeField(null=True, blank=True)
    fence = models.BigIntegerField(default=0)  # grows with every claim; the last one may conclude
    place = models.JSONField(default=dict)  # where the receiver has it: Slack's channel and time
    created_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name_plural = "copies"
        constraints = [
            models.CheckConstraint(
                condition=Q(person__isnull=True) ^ Q(channel__isnull=True),
                name="telling_copy_one_receiver",
            ),
            models.CheckConstraint(
                condition=Q(state="waiting", ended_at__isnull=True)
                | (~Q(state="waiting") & Q(ended_at__isnull=False)),
                name="telling_copy_ended_iff_stamped",
            ),
            models.UniqueConstraint(
                fields=["message", "person"],
                condition=Q(person__isnull=False),
                name="telling_copy_one_each_person",
            ),
            models.UniqueConstraint(
                fields=["message", "channel"],
                condition=Q(channel__isnull=False),
                name="telling_copy_one_each_channel",
            ),
        ]
        indexes = [
            models.Index(
                fields=["again_at"], condition=Q(state="waiting"), name="telling_copy_queue_idx"
            ),
            models.Index(
                fields=["person", "-created_at", "-public_id"],
                condition=Q(person__isnull=False),
                name="telling_copy_list_idx",
            ),
            models.Index(
                fields=["person"],
                condition=Q(person__isnull=False, read_at__isnull=True),
                name="telling_copy_unread_idx",
            ),
            # When a person had a quiet mail last.
            models.Index(
                fields=["person", "-ended_at"],
                condition=Q(state="sent", is_quiet=True),
                name="telling_copy_quiet_idx",
            ),
        ]

    def __str__(self) -> str:
        return self.public_id
