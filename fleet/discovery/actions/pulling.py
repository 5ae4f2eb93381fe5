"""Reading connected accounts: the worker's turn at one, with a lease, the key opened for it."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from django.db import transaction
from django.db.models import Q

from credentials.errors import AddressRefused, FetchFailed
from fleet.discovery.actions.noting import note_sightings
from fleet.discovery.actions.readings import LEASE, Lease, Lost, conclude, end_reading
from fleet.discovery.models import Reading, Source
from fleet.discovery.models.intake import UNDER_WAY
from fleet.discovery.pulling.accounts import account_of, pull
from fleet.discovery.readers.tally import Tally
from kernel import clock
from kernel.errors import DomainError
from registry.actors import Actor

_LONGEST_PAUSE: Final = timedelta(hours=24)


def pull_sources(*, actor: Actor, most: int = 5) -> int:
    """Read the accounts that wait, one after the other.

    Records: reading.done, reading.failed, as it applies.
    """
    done = 0
    while done < most and (reading := _claim()) is not None:
        done += 1
        try:
            _pull(reading, actor)
        except Lost:
            continue
        except (AddressRefused, FetchFailed) as error:
            _failed(reading, f"No answer came: {error.detail}", actor)
        except DomainError as error:
            _failed(reading, error.detail, actor)
    return done


@transaction.atomic
def _claim() -> Reading | None:
    now = clock.now()
    free = Q(leased_until__isnull=True) | Q(leased_until__lt=now)
    rows = Reading.objects.select_for_update(skip_locked=True, of=("self",)).filter(
        free, state__in=UNDER_WAY, source__isnull=False
    )
    found = rows.select_related("source").order_by("asked_at", "pk").first()
    if found is not None:
        found.state = Reading.State.READING
        found.leased_until = now + LEASE
        found.attempts += 1
        found.save(update_fields=["state", "leased_until", "attempts"])
    return found


def _pull(reading: Reading, actor: Actor) -> None:
    source = reading.source
    if source is None:
        return
    lease, tally = Lease(reading), Tally()
    account = account_of(source, lambda: lease.beat(tally))
    # Fetched whole before anything is stored: half an inventory looks like keys that are gone.
    sightings = list(pull(source, account, tally))
    noted = note_sightings(lease.watched(sightings), source=source.kind, batch=source.public_id)
    conclude(reading, tally, noted, actor=actor)
    now = clock.now()
    Source.objects.filter(pk=source.pk).update(
        failures=0,
        failure="",
        last_read_at=now,
        next_at=now + timedelta(hours=source.every_hours),
    )


def _failed(reading: Reading, why: str, actor: Actor) -> None:
    end_reading(reading, why=why, actor=actor)
    source = reading.source
    if source is None:
        return
    pause = min(timedelta(minutes=10) * 2 ** min(source.failures, 8), _LONGEST_PAUSE)
    usual = timedelta(hours=source.every_hours)
    Source.objects.filter(pk=source.pk).update(
        failures=source.failures + 1, failure=why, next_at=clock.now() + min(pause, usual)
    )
