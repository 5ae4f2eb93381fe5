"""What is shown outside: links to a status page, and the sums that its bars are drawn from."""

from __future__ import annotations

from django.db import models
from django.db.models import F, Q

from kernel.refs import Ref
from registry.models import Team


class StatusLink(models.Model):
    """A link to a status page for people without an account; only its keyed hash is kept."""

    class Scope(models.TextChoices):
        FLEET = "fleet", "The whole fleet"
        TEAM = "team", "One team"

    public_id = models.TextField(unique=True)  # stl_…
    name = models.TextField()  # whom it was made for, for those who govern
    pepper_id = models.TextField()
    digest = models.BinaryField(unique=True)  # HMAC of the whole token
    scope = models.TextField(choices=Scope.choices)
    # A link to a team's page without its team would be one to everything: the row refuses it.
    team = models.ForeignKey(
        Team, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    shows_agents = models.BooleanField(default=False)  # by their titles; else counts only
    made_by = models.TextField()
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)
    revoked_by = models.TextField(blank=True, default="")
    last_used_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(scope="fleet", team__isnull=True) | Q(scope="team", team__isnull=False),
                name="health_statuslink_team_of_scope",
            ),
            models.CheckConstraint(
                condition=Q(expires_at__isnull=True) | Q(expires_at__gt=F("created_at")),
                name="health_statuslink_expires_later",
            ),
            models.CheckConstraint(
                condition=Q(revoked_at__isnull=True, revoked_by="")
                | (Q(revoked_at__isnull=False) & ~Q(revoked_by="")),
                name="health_statuslink_revoked_iff_signed",
            ),
        ]
        indexes = [
            models.Index(fields=["-created_at", "-public_id"], name="health_statuslink_newest_idx")
        ]

    def __str__(self) -> str:
        return f"{self.public_id} {self.name}"

    @property
    def ref(self) -> Ref:
        return Ref("status-link", self.public_id)


class TeamDay(models.Model):
    """How long the agents of one team were how in one UTC day that is over, in seconds."""

    team = models.TextField(blank=True, default="")  # team_…; empty: agents without a team
    day = models.DateField()
    healthy = models.BigIntegerField(default=0)
    degraded = models.BigIntegerField(default=0)
    down = models.BigIntegerField(default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["team", "day"], name="health_teamday_one_per_day")
        ]

    def __str__(self) -> str:
        return f"{self.day} {self.team}"
