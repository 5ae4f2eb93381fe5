"""Bringing a document into the catalogue: by upload, by the API, by a command."""

from __future__ import annotations

from registry.actors import Actor
from registry.models import Role
from routing.actions.catalogue import Loaded, load_document
from routing.catalogue.saved import read_brought


def import_document(
    raw: bytes, *, actor: Actor, came_from: str, as_of: str = "", region: str = ""
) -> Loaded:
    """Load a catalogue document, or a vendor's list that was saved as a file.

    Records: catalogue.loaded, lifecycle.changed, model.changed for each model that differs.
    Raises: RoleMissing, CatalogueUnreadable, NotJSON.
    """
    actor.require(Role.PLATFORM)
    document = read_brought(raw, as_of=as_of, region=region)
    return load_document(document, actor=actor, came_from=came_from)
