"""Asking whether a bundle may come into force; going back to an earlier one is the same road.

The answer is to exactly this bundle in the place of exactly that one: what came into force
meanwhile voids the question.
"""

from __future__ import annotations

from typing import Any

from django.db import transaction

from approvals.actions.asking import Question, ask
from approvals.actions.texts import clean_text
from approvals.errors import PeopleDecide
from approvals.models import Review
from kernel.canonical import digest
from kernel.refs import Ref
from registry.actions.guards import stated
from registry.actors import Actor
from registry.models import Role
from rules.actions.uploading import check_bundle
from rules.comparing import as_evidence, compare_bundles
from rules.errors import AlreadyInForce, CasesFail
from rules.models import Activation, Bundle
from rules.queries.bundles import bundle_for, files_of, in_force
from rules.queries.trials import latest_trial


@transaction.atomic
def propose_activation(public_id: str, *, actor: Actor, reason: str) -> Review:
    """Ask security to put a bundle in force, with what it changes and how its cases came out.

    Records: review.opened. Raises: RoleMissing, BundleNotFound, AlreadyInForce, CasesFail,
    BundleRefused, ReviewAlreadyOpen.
    """
    actor.require(Role.SECURITY, Role.PLATFORM)
    why = clean_text(stated(reason), "reason")
    bundle = bundle_for(actor, public_id)
    now = in_force()
    if now is not None and now.bundle_id == bundle.pk:
        raise AlreadyInForce(f"{bundle.title} judges already.")
    if actor.person is None:
        raise PeopleDecide("A person asks, with their own token; another person decides.")
    # Linted, built and tested by the engine of today, which may be newer than the bundle.
    _, checked = check_bundle(files_of(bundle))
    if checked["failed"]:
        raise CasesFail(
            f"{len(checked['failed'])} of {checked['cases']} cases are answered otherwise.",  # type: ignore[arg-type]
            failed=checked["failed"],
        )
    return ask(
        Question(
            kind=Review.Kind.POLICY.value,
            subject=bundle.ref,
            subject_name=bundle.title,
            digest=bound(bundle, now),
            text=f"May the policy {bundle.title} come into force?",
            requester=actor.person,
            excluded=frozenset(authors_of(bundle)),
            evidence=_evidence(bundle, now, checked),
            justification=why,
        ),
        actor=actor,
    )


def bound(bundle: Bundle, now: Activation | None) -> str:
    """Return what an answer is to: this bundle, in the place of what is in force."""
    instead_of = now.bundle.digest if now is not None else ""
    return digest({"activate": bundle.digest, "instead_of": instead_of})


def authors_of(bundle: Bundle) -> set[str]:
    """Return who handed a bundle in: whoever asks for it, they do not decide on it."""
    author = Ref.parse(bundle.added_by)
    return {author.id} if author.kind == "person" else set()


def _tried(bundle: Bundle) -> dict[str, Any] | None:
    trial = latest_trial(bundle)
    if trial is None:
        return None
    return {
        "trial": trial.public_id,
        "days": trial.days,
        "state": trial.state,
        "decisions": trial.decisions,
        "counts": trial.counts,
        "failure": trial.failure,
    }


def _evidence(bundle: Bundle, now: Activation | None, checked: dict[str, object]) -> dict[str, Any]:
    former = now.bundle if now is not None else None
    return {
        "bundle": bundle.public_id,
        "bundle_digest": bundle.digest,
        "instead_of": former.title if former else "",
        "instead_of_id": former.public_id if former else "",
        "was_in_force": bundle.activations.exists(),
        "lint": "Every file passes the lint and builds.",
        "tested": checked,
        "back_test": _tried(bundle),
        "files": as_evidence(compare_bundles(former, bundle)),
    }
