"""The brake on guessing: each failure makes the next guess from the same place wait longer.

Two counters: one account from one address (tight), and one address against all accounts
(wide, because an office may share it). There is none for an account alone: whoever knows
a colleague's address could otherwise lock them out.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import ip_address, ip_network
from typing import Final

from django.db import transaction
from django.db.models import F

from kernel import clock
from registry.errors.authentication import SignInBraked
from registry.models import SignInBrake
from registry.pepper import pepper_ring

FREE_GUESSES: Final = 5
FREE_GUESSES_FOR_ADDRESS: Final = 100
FIRST_WAIT_SECONDS: Final = 30
LONGEST_WAIT_SECONDS: Final = 15 * 60
FORGOTTEN_AFTER: Final = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Charge:
    """One guess, counted before it is checked; a right one gives it back."""

    pair: bytes
    address: bytes


def charge(account: str, address: str) -> Charge:
    """Count a guess, or refuse to take one. Raises: SignInBraked."""
    ring = pepper_ring()
    counted = Charge(ring.hash(f"sign-in|{address}|{account}"), ring.hash(f"sign-in|{address}"))
    free = {counted.pair: FREE_GUESSES, counted.address: FREE_GUESSES_FOR_ADDRESS}
    now = clock.now()
    # Committed before the guess is checked: nobody calls this within a transaction that a
    # refusal rolls back.
    with transaction.atomic():
        SignInBrake.objects.filter(failed_at__lt=now - FORGOTTEN_AFTER).delete()
        SignInBrake.objects.bulk_create(
            [SignInBrake(bucket=bucket, failed_at=now, free_at=now) for bucket in sorted(free)],
            ignore_conflicts=True,
        )
        rows = list(
            SignInBrake.objects.select_for_update().filter(bucket__in=free).order_by("bucket")
        )
        now = clock.now()  # the lock may have been waited for
        braked = [row for row in rows if row.failures > free[bytes(row.bucket)]]
        wait = max((row.free_at - now for row in braked), default=timedelta(0))
        if wait > timedelta(0):
            seconds = int(wait.total_seconds()) + 1
            raise SignInBraked(
                f"Too many failed attempts from here; try again in {seconds} seconds.",
                retry_after_seconds=seconds,
            )
        for row in rows:
            row.failures += 1
            row.failed_at = now
            row.free_at = _free_at(now, row.failures - free[bytes(row.bucket)])
            row.save(update_fields=["failures", "failed_at", "free_at"])
    return counted


def release(counted: Charge) -> None:
    """Give a right guess back: the pair starts anew, the address keeps its other failures."""
    SignInBrake.objects.filter(bucket=counted.pair).delete()
    SignInBrake.objects.filter(bucket=counted.address, failures__gt=0).update(
        failures=F("failures") - 1, free_at=clock.now()
    )


def network_of(address: str) -> str:
    """Shorten an address for the record: enough to see a pattern, not to follow a person."""
    try:
        parsed = ip_address(address.partition("/")[0])
    except ValueError:
        return "unknown"
    return str(ip_network((parsed, 24 if parsed.version == 4 else 48), strict=False))


def _free_at(now: datetime, beyond: int) -> datetime:
    if beyond <= 0:
        return now
    seconds = min(FIRST_WAIT_SECONDS * 2 ** min(beyond - 1, 10), LONGEST_WAIT_SECONDS)
    return now + timedelta(seconds=seconds)
