"""What time does to findings: dates come nearer, deadlines pass, people are forgotten.

People and addresses in evidence are there to find an owner. Ninety days after a finding is
settled they are removed; the hashed names stay, so that it is known when it comes again.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from django.db import transaction
from django.db.models import Exists, OuterRef, Q

from fleet.discovery.actions.judging import judge_again
from fleet.discovery.actions.reminding import remind
from fleet.discovery.models import Evidence, Finding
from fleet.discovery.models.finding import OPEN
from fleet.discovery.signs import Flag
from kernel import clock
from registry.actors import Actor

KEPT: Final = timedelta(days=90)
_AT_ONCE: Final = 500


def keep_findings(*, actor: Actor) -> None:
    """Bring open findings in step with the day, and held keys with what is held today.

    Records: what judging and reminding record.
    """
    dated = Q(state__in=OPEN) & ~Q(model_ids=[])
    last, rows = 0, Finding.objects.filter(dated | Q(flags__contains=[Flag.HELD.value]))
    while keys := list(
        rows.filter(pk__gt=last).order_by("pk").values_list("pk", flat=True)[:_AT_ONCE]
    ):
        with transaction.atomic():
            judge_again(keys)
        last = keys[-1]
    remind(actor=actor)
    forget_people(actor=actor)


@transaction.atomic
def forget_people(*, actor: Actor) -> int:
    """Remove people and addresses from what was settled long ago.

    Records: nothing; that it is done is a rule, and what is removed is nobody's to keep.
    """
    now = clock.now()
    # Again where a source that is still read has named people since.
    named = Evidence.objects.filter(finding=OuterRef("pk")).exclude(people=[])
    due = Finding.objects.filter(settled_at__lt=now - KEPT).filter(
        Q(forgotten_at__isnull=True) | Q(likely__isnull=False) | Exists(named)
    )
    keys = list(due.order_by("pk").values_list("pk", flat=True)[:_AT_ONCE])
    Evidence.objects.filter(finding__in=keys).update(people=[])
    return Finding.objects.filter(pk__in=keys).update(
        forgotten_at=now, likely=None, likely_reasons=[]
    )
