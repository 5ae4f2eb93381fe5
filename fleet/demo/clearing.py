"""Taking out what the parts of the fleet hold of demo agents: none of it is evidence.

Rows go, the record of what was done stays in the ledger, as it does for everybody.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from django.db import transaction
from django.db.models import ForeignObjectRel, Model, ProtectedError, Q, QuerySet

from approvals.actions.ending import withdraw_reviews_on
from fleet.campaigns.models import Campaign
from fleet.cutovers.models import Cutover
from fleet.demo.company import DOMAIN, FILES, SOURCE
from fleet.discovery.models import Evidence, Finding, Reading
from registry.actors import Actor
from registry.models import Agent
from routing.actions.overriding import lift_override
from routing.models import LifecycleOverride

# The parts of the fleet: what they hold of an agent that was a demo's says nothing.
_PARTS: Final = frozenset({
    "campaigns", "conformance", "cutovers", "discovery", "drift", "evaluations", "health",
    "retiring", "worth",
})  # fmt: skip
_REASON: Final = "The demo company was taken out."


@transaction.atomic
def clear_parts(agents: Sequence[Agent], *, actor: Actor) -> None:
    """Remove what the parts of the fleet hold of demo agents, and give their models' ends back.

    Records: lifecycle.overridden for each day that was set by hand.
    """
    _clear_findings()
    for cutover in Cutover.objects.filter(agents__agent__in=agents, security_agreed_at=None):
        withdraw_reviews_on(cutover.ref, actor=actor, reason=_REASON)
    for relation in Agent._meta.get_fields(include_hidden=True):
        if isinstance(relation, ForeignObjectRel) and _is_of_parts(relation.related_model):
            held = {f"{relation.field.name}__in": list(agents)}
            clear(relation.related_model._default_manager.filter(**held))
    clear(Cutover.objects.filter(agents__isnull=True))
    clear(Campaign.objects.filter(moves__isnull=True))
    _give_ends_back(actor)


def _is_of_parts(kind: type[Model]) -> bool:
    return kind._meta.app_label in _PARTS


def clear(rows: QuerySet[Any]) -> None:
    """Delete rows, and before them what else of the fleet's parts hangs on them."""
    while True:
        try:
            with transaction.atomic():
                rows.all().delete()
                return
        except ProtectedError as error:
            holders: dict[type[Model], list[Any]] = {}
            for each in error.protected_objects:
                holders.setdefault(type(each), []).append(each.pk)
            if not all(map(_is_of_parts, holders)):
                raise
            for kind, keys in holders.items():
                clear(kind._default_manager.filter(pk__in=keys))


def _clear_findings() -> None:
    told = Q(people__icontains=DOMAIN) | Q(facts__icontains=DOMAIN)
    named = Evidence.objects.filter(told).values("finding_id")
    Finding.objects.filter(Q(pk__in=named) | Q(title__icontains=DOMAIN)).delete()
    files = Q(title__icontains=DOMAIN) | Q(title__in=FILES)
    Reading.objects.filter(files).delete()


def _give_ends_back(actor: Actor) -> None:
    mine = LifecycleOverride.objects.filter(source=SOURCE, lifted_at__isnull=True)
    for override in mine.select_related("model"):
        lift_override(override.model.public_id, actor=actor, reason=_REASON)
