"""A further bundle made of another one with other settings; its rules stay byte for byte."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from policy.bundle import DATA_FILE
from registry.actors import Actor
from rules.actions.uploading import upload_bundle
from rules.models import Bundle
from rules.queries.bundles import bundle_for, files_of


def change_settings(public_id: str, data: Mapping[str, Any], *, title: str, actor: Actor) -> Bundle:
    """Keep a bundle with other settings; it judges nothing before it is activated.

    Records: policy.added. Raises: RoleMissing, BundleNotFound, BundleRefused, BundleKnown.
    """
    former = bundle_for(actor, public_id)
    written = json.dumps(data, indent=2, ensure_ascii=False).encode() + b"\n"
    files = files_of(former) | {DATA_FILE: written}
    return upload_bundle(files, title=title, note=f"Settings of {former.title}.", actor=actor)
