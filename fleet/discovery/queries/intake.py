"""Which sources are connected and what was read, for those who oversee."""

from __future__ import annotations

from django.db.models import QuerySet

from fleet.discovery.errors import DiscoverySourceNotFound, ReadingNotFound
from fleet.discovery.models import Reading, Source
from fleet.discovery.queries.findings import SEEING
from registry.actors import Actor


def sources_for(actor: Actor) -> QuerySet[Source]:
    """Return the connected sources. Raises: RoleMissing."""
    actor.require(*SEEING)
    return Source.objects.filter(removed_at__isnull=True)


def source_for(actor: Actor, public_id: str) -> Source:
    """Return one source. Raises: RoleMissing, DiscoverySourceNotFound."""
    found = sources_for(actor).filter(public_id=public_id.replace("\x00", "")).first()
    if found is None:
        raise DiscoverySourceNotFound
    return found


def readings_for(actor: Actor) -> QuerySet[Reading]:
    """Return the readings, under way and over. Raises: RoleMissing."""
    actor.require(*SEEING)
    return Reading.objects.select_related("source")


def reading_for(actor: Actor, public_id: str) -> Reading:
    """Return one reading. Raises: RoleMissing, ReadingNotFound."""
    found = readings_for(actor).filter(public_id=public_id.replace("\x00", "")).first()
    if found is None:
        raise ReadingNotFound
    return found
