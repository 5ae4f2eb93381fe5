"""What is lent, and to whom: sealed secrets and leases. No column could be read back."""

from __future__ import annotations

from django.db import models
from django.db.models import F, Q

from kernel.refs import Ref


class Secret(models.Model):
    """One version of a secret for one holder, sealed to a ring. Only the ring's keeper opens it."""

    class Ring(models.TextChoices):
        VENDOR = "vendor"
        TOOL = "tool"
        INBOUND = "inbound"  # what others sign their requests to us with

    public_id = models.TextField(unique=True)  # sec_…, part of the associated data
    ring = models.TextField(choices=Ring.choices)
    holder = models.TextField()  # a reference such as vendor:ven_…
    version = models.PositiveIntegerField()
    ring_key_id = models.TextField()
    wrapped_key = models.BinaryField()
    nonce = models.BinaryField()
    ciphertext = models.BinaryField()
    hint = models.TextField(blank=True, default="")  # last four characters of long secrets only
    created_by = models.TextField()
    created_at = models.DateTimeField()
    retired_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["holder", "version"], name="credentials_secret_one_per_version"
            ),
            models.UniqueConstraint(
                fields=["holder"],
                condition=Q(retired_at__isnull=True),
                name="credentials_secret_one_current",
            ),
        ]
        indexes = [models.Index(fields=["ring", "ring_key_id"], name="credentials_secret_ring_idx")]

    def __str__(self) -> str:
        return f"{self.public_id} (version {self.version} of {self.holder})"


class RingRotation(models.Model):
    """One rotation of a ring, from its new key to the end of the old ones; resumed if cut off."""

    class Ring(models.TextChoices):
        VENDOR = "vendor"
        TOOL = "tool"
        INBOUND = "inbound"  # what others sign their requests to us with
        PAYLOAD = "payload"

    ring = models.TextField(choices=Ring.choices)
    ring_key_id = models.TextField()
    started_by = models.TextField()
    started_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["ring", "ring_key_id"], name="credentials_ringrotation_one_per_key"
            ),
            models.UniqueConstraint(
                fields=["ring"],
                condition=Q(finished_at__isnull=True),
                name="credentials_ringrotation_one_at_a_time",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.ring} to {self.ring_key_id}"


class Lease(models.Model):
    """One lending of a credential to one agent's action. There is no column for the credential."""

    class Kind(models.TextChoices):
        STATIC = "static", "Static secret"
        POSTGRESQL_ROLE = "postgresql_role", "PostgreSQL role"
        OAUTH_CLIENT = "oauth_client", "OAuth token"
        TOKEN_EXCHANGE = "token_exchange", "Exchanged token"

    class State(models.TextChoices):
        ACTIVE = "active"
        REVOKING = "revoking"  # asked to end, and not known to be dead
        RETURNED = "returned"  # the executor is done with it
        REVOKED = "revoked"
        EXPIRED = "expired"
        IRREVOCABLE = "irrevocable"  # could not be ended; a token dies at expires_at all the same

    ENDED = (State.RETURNED, State.REVOKED, State.EXPIRED)
    OPEN = (State.ACTIVE, State.REVOKING, State.IRREVOCABLE)

    public_id = models.TextField(unique=True)  # lse_…
    connection = models.TextField()  # connection:con_…
    agent_id = models.TextField()  # agt_…
    proposal_id = models.TextField()  # prp_…, for which it was lent first
    kind = models.TextField(choices=Kind.choices)
    handle = models.TextField()  # what it is called over there; never what opens
    terms = models.JSONField(default=dict)  # what ending it takes, so that no row to the left is
    kept_by = models.TextField(blank=True, default="")  # the process whose memory holds a token
    state = models.TextField(choices=State.choices, default=State.ACTIVE)
    goal = models.TextField(blank=True, default="")  # what it becomes once it is dead
    reason = models.TextField(blank=True, default="")
    asked_by = models.TextField(blank=True, default="")
    issued_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    again_at = models.DateTimeField(null=True, blank=True)  # the next attempt to end it
    fault = models.TextField(blank=True, default="")  # of the last attempt, from a fixed list

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(expires_at__gt=F("issued_at")), name="credentials_lease_expires_later"
            ),
            models.CheckConstraint(
                condition=(
                    Q(state__in=("returned", "revoked", "expired")) & Q(ended_at__isnull=False)
                )
                | (~Q(state__in=("returned", "revoked", "expired")) & Q(ended_at__isnull=True)),
                name="credentials_lease_ended_iff_stamped",
            ),
            models.CheckConstraint(
                condition=Q(state="active", goal="") | (~Q(state="active") & ~Q(goal="")),
                name="credentials_lease_active_has_no_goal",
            ),
            models.CheckConstraint(
                condition=~Q(state="revoking", again_at__isnull=True),
                name="credentials_lease_revoking_is_due",
            ),
        ]
        indexes = [
            models.Index(fields=["state", "again_at"], name="credentials_lease_due_idx"),
            models.Index(fields=["state", "expires_at"], name="credentials_lease_expiry_idx"),
            models.Index(fields=["agent_id", "-issued_at"], name="credentials_lease_agent_idx"),
            models.Index(fields=["-issued_at", "-public_id"], name="credentials_lease_newest_idx"),
        ]

    def __str__(self) -> str:
        return self.public_id

    @property
    def ref(self) -> Ref:
        return Ref("lease", self.public_id)

    @property
    def is_over(self) -> bool:
        return self.state in self.ENDED
