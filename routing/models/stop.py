"""Stops: what may make no call until somebody lifts it; and the gateways that must obey.

A stop is kept when it is lifted: it says who stopped what, why, and who let it go on. A
gateway is listed by itself, with the door at which it answers for what it still carries.
"""

from __future__ import annotations

from typing import Final

from django.db import models
from django.db.models import Q

from kernel.refs import Ref

EVERYTHING: Final = "all"  # the subject of a stop of the fleet
_KINDS: Final = {"owner": "person"}


class Stop(models.Model):
    """Nothing of one key, agent, owner, team, model, vendor or route, or of all, may move."""

    class Scope(models.TextChoices):
        KEY = "key"
        AGENT = "agent"
        OWNER = "owner"
        TEAM = "team"
        MODEL = "model"
        VENDOR = "vendor"
        ROUTE = "route"
        FLEET = "fleet"

    public_id = models.TextField(unique=True)  # stp_…
    scope = models.TextField(choices=Scope.choices)
    subject = models.TextField()  # its public id; of the fleet: all
    subject_name = models.TextField()  # how people know it
    reason = models.TextField()
    placed_by = models.TextField()  # the reference of who acted
    placed_as = models.TextField()  # in which office: security, platform, owner, operator
    placed_at = models.DateTimeField()
    lifted_by = models.TextField(blank=True, default="")
    lifted_at = models.DateTimeField(null=True, blank=True)
    lifted_reason = models.TextField(blank=True, default="")
    last_report = models.JSONField(null=True, blank=True)  # of the last time it was proven

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["scope", "subject"],
                condition=Q(lifted_at__isnull=True),
                name="routing_stop_one_in_force",
            ),
            models.CheckConstraint(
                condition=Q(lifted_at__isnull=True, lifted_by="")
                | (Q(lifted_at__isnull=False) & ~Q(lifted_by="")),
                name="routing_stop_lifted_iff_signed",
            ),
            models.CheckConstraint(condition=~Q(reason=""), name="routing_stop_has_reason"),
            models.CheckConstraint(
                condition=Q(scope__in=["key", "agent", "owner", "team", "model", "vendor", "route"])
                & ~Q(subject=EVERYTHING)
                | Q(scope="fleet", subject=EVERYTHING),
                name="routing_stop_fleet_is_all",
            ),
        ]
        indexes = [
            models.Index(fields=["-placed_at", "-public_id"], name="routing_stop_newest_idx")
        ]

    def __str__(self) -> str:
        return f"{self.public_id} {self.scope} {self.subject_name}"

    @property
    def ref(self) -> Ref:
        return Ref("stop", self.public_id)

    @property
    def subject_ref(self) -> Ref:
        return Ref(_KINDS.get(self.scope, self.scope), self.subject)

    @property
    def is_in_force(self) -> bool:
        return self.lifted_at is None

    @property
    def title(self) -> str:
        return "Everything" if self.scope == "fleet" else f"{self.scope} {self.subject_name}"


class LiveGateway(models.Model):
    """A gateway process that has announced itself, and where it can be asked."""

    name = models.TextField(unique=True)  # the process as the ledger's writers name it
    door = models.TextField()  # host:port
    machine = models.TextField()  # which machine, since which boot; empty when it cannot be told
    pid = models.IntegerField()
    pid_since = models.BigIntegerField()  # when the process began, in the machine's own ticks
    started_at = models.DateTimeField()
    seen_at = models.DateTimeField()
    left_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes = [
            models.Index(
                fields=["seen_at"],
                condition=Q(left_at__isnull=True),
                name="routing_livegateway_here_idx",
            )
        ]

    def __str__(self) -> str:
        return self.name
