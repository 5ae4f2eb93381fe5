"""What ships with a release: kept beside a company's own bundles, in force until they choose.

An installation without a policy starts with the shipped one. A newer one takes its place by
itself only while what is in force was never chosen by people; otherwise it is offered.
"""

from __future__ import annotations

from pathlib import Path

from django.db import transaction

from policy.bundle import BASE, unpack_files
from registry.actors import Actor
from rules.actions.activating import activate_bundle
from rules.actions.adding import Sources, add_bundle, read_directory
from rules.actions.uploading import check_bundle
from rules.models import Activation, Bundle

TITLE = "Shipped policy"


@transaction.atomic
def ensure_shipped_bundle(*, actor: Actor, directory: Path = BASE) -> str:
    """Keep the shipped bundle, and put it in force where no people's choice is; say what was done.

    Records: policy.added, policy.activated, when they are news. Raises: BundleUnusable.
    """
    sources = read_directory(directory)
    bundle = Bundle.objects.filter(digest=sources.digest).first()
    is_new = bundle is None
    bundle = bundle or _kept(sources, actor)
    in_force = Activation.objects.select_for_update(of=("self",)).filter(ended_at=None).first()
    if in_force is None:
        activate_bundle(bundle, reason="The first policy of this installation.", actor=actor)
        return "in force"
    if not is_new:
        return "up to date"
    if in_force.review_id:
        return "a newer one is offered (Policy page)"
    activate_bundle(bundle, reason="Shipped with a newer release.", actor=actor)
    return "the newer one is in force"


def _kept(sources: Sources, actor: Actor) -> Bundle:
    _, checked = check_bundle(unpack_files(sources.judging.packed) | sources.tests)
    return add_bundle(
        sources, title=TITLE, origin=Bundle.Origin.SHIPPED, checked=checked, actor=actor
    )
