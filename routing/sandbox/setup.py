"""Making the sandbox a vendor like any other, at every start, and changing nothing twice.

What an administrator has changed since (a price, a route's targets, a stop) stays as it
is. Only the address follows the port, and the secret is made anew when its row and the
note beside the sandbox no longer belong together, as after a restored backup.
"""

from __future__ import annotations

import json
import secrets
from dataclasses import asdict
from pathlib import Path
from typing import Final

from django.db import transaction

from credentials.queries import secret_of
from kernel.sealing import write_private
from registry.actors import Actor
from routing.actions.models import ModelDraft, add_model
from routing.actions.route_targets import TargetDraft
from routing.actions.routes import put_route
from routing.actions.vendors import (
    DATA_CLASSES,
    VendorDraft,
    change_vendor,
    connect_vendor,
    set_vendor_secret,
)
from routing.addresses import read_address
from routing.errors import RouteNotFound, VendorNotFound
from routing.models import Vendor
from routing.queries.routes import route_for
from routing.queries.vendors import models_of, vendor_for
from routing.sandbox.answers import MODEL
from routing.sandbox.secret import Note, digest_of, read_note

NAME: Final = "sandbox"
# The sandbox costs nothing; a price of nothing would make the first call show no cost.
PRICE_SOURCE: Final = "notional, so that a first call shows a cost: the sandbox is free"
INPUT_MICROS_PER_MTOK: Final = 1_000_000
OUTPUT_MICROS_PER_MTOK: Final = 4_000_000


def ensure_sandbox(*, url: str, note: Path, actor: Actor) -> list[str]:
    """Connect the sandbox at an address, with its model, route and secret; say what was done.

    Records: what is new, as the actions of routing record it.
    """
    with transaction.atomic():
        vendor, done = _connected(f"{url}/v1", actor)
        if not models_of(vendor).filter(name=MODEL).exists():
            draft = ModelDraft(
                name=MODEL,
                input_micros_per_mtok=INPUT_MICROS_PER_MTOK,
                output_micros_per_mtok=OUTPUT_MICROS_PER_MTOK,
                price_source=PRICE_SOURCE,
            )
            add_model(NAME, draft, actor=actor)
            done.append("model")
        if _lacks_route(actor):
            put_route(
                NAME, [TargetDraft(NAME, MODEL)], actor=actor, title="A first call, without a model"
            )
            done.append("route")
        kept = _kept_secret(vendor, note, actor)
    if kept is not None:
        # After the commit: a note of a secret that was rolled back would fit nothing, and a
        # secret whose note was never written is made anew at the next start.
        write_private(note, json.dumps(asdict(kept)))
        done.append("secret")
    return done


def _connected(base_url: str, actor: Actor) -> tuple[Vendor, list[str]]:
    try:
        vendor = vendor_for(actor, NAME)
    except VendorNotFound:
        draft = VendorDraft(
            name=NAME,
            dialect="openai",
            base_url=base_url,
            title="Sandbox (no model behind it)",
            platform="",
            data_classes=list(DATA_CLASSES),
        )
        return connect_vendor(draft, actor=actor).vendor, ["vendor"]
    if vendor.base_url == read_address(base_url, dialect="openai").base_url:
        return vendor, []
    return change_vendor(NAME, {"base_url": base_url}, actor=actor).vendor, ["address"]


def _lacks_route(actor: Actor) -> bool:
    try:
        route_for(actor, NAME)
    except RouteNotFound:
        return True
    return False


def _kept_secret(vendor: Vendor, note: Path, actor: Actor) -> Note | None:
    """Seal a new secret unless row and note are of the same one; return the new note."""
    current = secret_of(vendor.ref)
    if current is not None and read_note(note).secret_id == current.public_id:
        return None
    secret = secrets.token_urlsafe(32)
    set_vendor_secret(NAME, secret, actor=actor)
    sealed = secret_of(vendor.ref)
    return Note(sealed.public_id if sealed else "", digest_of(secret))
