"""Asking that a bundle be tried on past decisions, and calling that off."""

from __future__ import annotations

from typing import Final

from django.db import transaction

from kernel import clock
from kernel.db import refused_as, ring
from kernel.refs import new_id
from ledger.record import record
from ledger.verbs import Verb
from registry.actors import Actor
from registry.models import Role
from rules.errors import TrialOver, TrialUnderWay
from rules.models import Bundle, Trial
from rules.trying.models import UNDER_WAY

USUAL_DAYS: Final = 30
MOST_DAYS: Final = 400
MAY_TRY: Final = (Role.SECURITY, Role.PLATFORM)


@transaction.atomic
def ask_trial(bundle: Bundle, *, actor: Actor, days: int = USUAL_DAYS) -> Trial:
    """Have a bundle tried on the decisions of the last days; the worker does it.

    Records: policy.trial_asked. Raises: RoleMissing, TrialUnderWay.
    """
    actor.require(*MAY_TRY)
    trial = Trial(
        public_id=new_id("trl"),
        bundle=bundle,
        days=days,
        asked_by=str(actor.ref),
        asked_at=clock.now(),
    )
    with refused_as({"rules_trial_one_under_way": TrialUnderWay()}):
        trial.save(force_insert=True)
    record(
        Verb.TRIAL_ASKED,
        trial.ref,
        actor=actor.ref,
        facts={"bundle": bundle.digest, "days": days},
    )
    ring("rules.try_bundles")
    return trial


@transaction.atomic
def cancel_trial(trial: Trial, *, actor: Actor) -> Trial:
    """End a trial that is under way; what it found so far is let go of.

    Records: policy.trial_cancelled. Raises: RoleMissing, TrialOver.
    """
    actor.require(*MAY_TRY)
    moved = Trial.objects.filter(pk=trial.pk, state__in=UNDER_WAY).update(
        state=Trial.State.CANCELLED, finished_at=clock.now(), leased_until=None
    )
    if not moved:
        raise TrialOver
    trial.asked.all().delete()
    record(Verb.TRIAL_CANCELLED, trial.ref, actor=actor.ref)
    trial.refresh_from_db()
    return trial
