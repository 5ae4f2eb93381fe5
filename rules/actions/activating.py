"""Putting a bundle in force: one stretch of time ends as the next begins.

The gateways hear of it by the bell of the database; whoever asks in web or worker looks at the
row. Who may do this is decided before: by the release, or by a review.
"""

from __future__ import annotations

from django.db import transaction

from kernel import clock
from kernel.refs import new_id
from ledger.record import record
from ledger.verbs import Verb
from registry.actors import Actor
from rules.models import Activation, Bundle


@transaction.atomic
def activate_bundle(
    bundle: Bundle, *, actor: Actor, reason: str, review_id: str = ""
) -> Activation:
    """End what is in force and begin with this bundle.

    Records: policy.activated.
    """
    at = clock.now()
    ending = Activation.objects.select_for_update(of=("self",)).filter(ended_at=None)
    former = ending.select_related("bundle").first()
    if former is not None:
        former.ended_at = at
        former.save(update_fields=["ended_at"])
    activation = Activation.objects.create(
        public_id=new_id("pac"),
        bundle=bundle,
        review_id=review_id,
        reason=reason,
        activated_by=str(actor.ref),
        activated_at=at,
    )
    facts = {
        "bundle": bundle.digest,
        "former": former.bundle.digest if former else "",
        "review": review_id,
    }
    record(Verb.POLICY_ACTIVATED, bundle.ref, actor=actor.ref, facts=facts)
    return activation
