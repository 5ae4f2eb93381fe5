"""Asking the policy about an action, and whether the same one is in force at this moment."""

from __future__ import annotations

from collections.abc import Mapping

from django.conf import settings

from policy.decision import UNAVAILABLE, Decision, denied
from policy.errors import BundleUnusable
from policy.facts import read_facts
from rules.judging import judge_facts
from rules.queries.in_force import digest_in_force


def rule_on(facts: Mapping[str, object]) -> Decision:
    """Return the policy's answer; where nothing can judge, a denial."""
    try:
        return judge_facts(facts)
    except BundleUnusable:
        return denied(UNAVAILABLE, "", read_facts(facts)[1])


def judges_still(digest: str) -> bool:
    """Say whether the policy that judged an action is the one in force at this moment.

    An operator's own directory or server has no row here: what judged counts as still judging.
    """
    is_own = bool(settings.OPA_URL) or settings.POLICY_DIR is not None
    return is_own or digest_in_force() == digest
