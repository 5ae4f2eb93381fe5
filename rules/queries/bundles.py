"""Reading bundles and activations: for those who govern."""

from __future__ import annotations

from django.db.models import Exists, OuterRef, QuerySet

from policy.bundle import unpack_files
from registry.actors import Actor
from registry.queries.agents import GOVERNING
from rules.errors import BundleNotFound
from rules.models import Activation, Bundle


def bundles_for(actor: Actor) -> QuerySet[Bundle]:
    """Return every bundle, without its bytes. Raises: RoleMissing."""
    actor.require(*GOVERNING)
    now = Activation.objects.filter(bundle=OuterRef("pk"), ended_at=None)
    return Bundle.objects.defer("packed", "tests").annotate(is_in_force=Exists(now))


def bundle_for(actor: Actor, public_id: str) -> Bundle:
    """Return one bundle. Raises: RoleMissing, BundleNotFound."""
    found = bundles_for(actor).filter(public_id=public_id.replace("\x00", "")).first()
    if found is None:
        raise BundleNotFound(f"There is no policy bundle {public_id[:60]!r}.")
    return found


def activations_for(actor: Actor) -> QuerySet[Activation]:
    """Return what was in force, from when to when. Raises: RoleMissing."""
    actor.require(*GOVERNING)
    rows = Activation.objects.select_related("bundle")
    return rows.defer("bundle__packed", "bundle__tests")


def in_force() -> Activation | None:
    """Return what judges now."""
    return Activation.objects.select_related("bundle").filter(ended_at=None).first()


def files_of(bundle: Bundle) -> dict[str, bytes]:
    """Return every file of a bundle, its tests included."""
    return unpack_files(bytes(bundle.packed)) | unpack_files(bytes(bundle.tests))
