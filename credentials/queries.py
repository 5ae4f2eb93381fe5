"""Who holds which secret: what may be shown, which is never the secret."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count

from credentials.models import Secret
from kernel.refs import Ref
from ledger.models import DataKey


@dataclass(frozen=True, slots=True)
class SecretSummary:
    """One version of a secret as people see it."""

    public_id: str
    holder: str
    version: int
    hint: str
    created_by: str
    created_at: datetime
    retired_at: datetime | None


def secret_of(holder: Ref) -> SecretSummary | None:
    """The current secret of a holder, or None."""
    current = Secret.objects.filter(holder=str(holder), retired_at__isnull=True).first()
    return None if current is None else _summary(current)


def secrets_of(holder: Ref) -> list[SecretSummary]:
    """Every version a holder ever had, newest first."""
    return [_summary(row) for row in Secret.objects.filter(holder=str(holder)).order_by("-version")]


def holders_with_secret(holders: list[Ref]) -> frozenset[str]:
    """Which of these have a current secret, in one query."""
    current = Secret.objects.filter(
        holder__in=[str(holder) for holder in holders], retired_at__isnull=True
    )
    return frozenset(current.values_list("holder", flat=True))


def rows_by_ring_key(ring: str) -> dict[str, int]:
    """How many rows are sealed to each key of a ring."""
    rows = (
        DataKey.objects.filter(state=DataKey.State.ACTIVE)
        if ring == "payload"
        else Secret.objects.filter(ring=ring)
    )
    counted = rows.values_list("ring_key_id").annotate(Count("pk")).order_by("ring_key_id")
    return dict(counted)


def _summary(row: Secret) -> SecretSummary:
    return SecretSummary(
        public_id=row.public_id,
        holder=row.holder,
        version=row.version,
        hint=row.hint,
        created_by=row.created_by,
        created_at=row.created_at,
        retired_at=row.retired_at,
    )
