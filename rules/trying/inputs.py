"""The facts behind a question, by their digest: bytes, or nothing where they are not kept."""

from __future__ import annotations

from collections.abc import Sequence

from kernel.canonical import digest_bytes
from ledger.artifacts import POLICY_BUNDLE
from ledger.models import Artifact
from ledger.reading import Opener, artifacts_named
from policy.bundle import Bundle
from policy.errors import BundleUnusable
from rules.models import Bundle as Kept
from rules.trying.models import Question


def facts_behind(questions: Sequence[Question], opener: Opener | None) -> dict[int, bytes]:
    """Return the facts of questions by their row; those of actions only with an opener."""
    by_source: dict[str, list[Question]] = {"call": [], "action": []}
    for question in questions:
        by_source[question.source].append(question)
    found = _of_calls(by_source["call"])
    if opener is not None and by_source["action"]:
        found |= _of_actions(by_source["action"], opener)
    return found


def _of_calls(questions: Sequence[Question]) -> dict[int, bytes]:
    kept = artifacts_named({question.input_digest for question in questions})
    return {
        question.pk: kept[question.input_digest]
        for question in questions
        if question.input_digest in kept
    }


def _of_actions(questions: Sequence[Question], opener: Opener) -> dict[int, bytes]:
    said = opener.read([question.entry_id for question in questions])
    found: dict[int, bytes] = {}
    for question in questions:
        payload = said[question.entry_id].payload if question.entry_id in said else None
        # What an entry says its facts are, its payload has to be.
        if payload is not None and digest_bytes(payload) == question.input_digest:
            found[question.pk] = payload
    return found


def bundle_named(digest: str) -> Bundle | None:
    """Return a bundle that judged once; nothing where its bytes are not here or unusable now."""
    packed = Kept.objects.filter(digest=digest).values_list("packed", flat=True).first()
    if packed is None:
        bodies = Artifact.objects.filter(digest=digest, kind=POLICY_BUNDLE)
        packed = bodies.values_list("body", flat=True).first()
    if packed is None:
        return None
    try:
        return Bundle.unpack(bytes(packed))
    except BundleUnusable:
        return None
