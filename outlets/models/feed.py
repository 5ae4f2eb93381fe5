"""A feed to a SIEM: which entries, how they are written, how far it has come."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from kernel.refs import Ref


class Feed(models.Model):
    """Entries in the order of the tree, at least once each; the cursor is the last one taken."""

    class Kind(models.TextChoices):
        SYSLOG_TLS = "syslog+tls"
        SYSLOG_TCP = "syslog+tcp"
        SYSLOG_UDP = "syslog+udp"
        HTTP = "http"

    class Format(models.TextChoices):
        JSON = "json"
        CEF = "cef"
        HEC = "hec"  # JSON in the envelope of an HTTP event collector

    public_id = models.TextField(unique=True)  # fed_…
    name = models.TextField(unique=True)
    kind = models.TextField(choices=Kind.choices)
    format = models.TextField(choices=Format.choices)
    address = models.TextField()  # host:port of syslog, the URL of http
    auth_header = models.TextField(blank=True, default="")  # which header carries the secret
    auth_scheme = models.TextField(blank=True, default="")  # what stands before it
    ca_pem = models.TextField(blank=True, default="")  # who vouches for the receiver, if not all
    allow_private = models.BooleanField(default=False)
    kinds = ArrayField(models.TextField(), default=list, blank=True)  # empty: every kind
    verbs = ArrayField(models.TextField(), default=list, blank=True)  # a verb, or "agent."
    min_severity = models.IntegerField(default=0)
    epoch = models.IntegerField(default=1)
    index = models.BigIntegerField(default=-1)  # of the last entry that was taken
    sent = models.BigIntegerField(default=0)
    passed = models.BigIntegerField(default=0)  # that the filters left out
    failures = models.IntegerField(default=0)  # in a row
    failure = models.TextField(blank=True, default="")  # one of a fixed list
    failing_since = models.DateTimeField(null=True, blank=True)
    again_at = models.DateTimeField(null=True, blank=True)
    leased_until = models.DateTimeField(null=True, blank=True)
    last_sent_at = models.DateTimeField(null=True, blank=True)
    paused_at = models.DateTimeField(null=True, blank=True)
    test_asked_at = models.DateTimeField(null=True, blank=True)
    tested_at = models.DateTimeField(null=True, blank=True)
    test_result = models.TextField(blank=True, default="")  # "ok", or one of a fixed list
    added_by = models.TextField()
    added_at = models.DateTimeField()
    removed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=~Q(format="hec") | Q(kind="http"), name="outlets_feed_hec_is_http"
            ),
            models.CheckConstraint(
                condition=Q(min_severity__gte=0, min_severity__lte=10),
                name="outlets_feed_severity_to_ten",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def ref(self) -> Ref:
        return Ref("feed", self.public_id)

    @property
    def state(self) -> str:
        if self.removed_at:
            return "removed"
        if self.paused_at:
            return "paused"
        return "failing" if self.failures else "running"
