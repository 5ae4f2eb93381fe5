"""Judging in the web and the worker: the same bundle as the gateways', asked at this moment.

Owns the one child of this process, made when it is first needed and after every fork. The
activation in force is looked at with each question, so an answer is never by a bundle that was
in force a moment ago. With UNSPRAWL_POLICY_DIR or OPA_URL those judge, alike everywhere.
"""

from __future__ import annotations

import atexit
import os
import threading
from collections.abc import Mapping

from django.conf import settings

from policy.decision import Decision
from policy.engine import Judge
from policy.remote import RemoteJudge
from policy.standing import StandingJudge
from rules.queries.in_force import digest_in_force, packed_bundle


class _Bench:
    """Who judges in this process."""

    def __init__(self) -> None:
        self._seated: Judge | RemoteJudge | StandingJudge | None = None
        self._seating = threading.Lock()

    def seated(self) -> Judge | RemoteJudge | StandingJudge:
        """Return the judge, made when there is none yet. Raises: BundleUnusable."""
        with self._seating:
            if self._seated is None:
                self._seated = _judge()
            return self._seated

    def close(self) -> None:
        seated, self._seated = self._seated, None
        if seated is not None:
            seated.close()

    def forget(self) -> None:
        """Let go of what belongs to the process that this one was forked from."""
        self._seating = threading.Lock()
        seated, self._seated = self._seated, None
        if isinstance(seated, Judge | StandingJudge):
            seated.abandon()


_bench = _Bench()
atexit.register(_bench.close)
os.register_at_fork(after_in_child=_bench.forget)


def judge_facts(facts: Mapping[str, object]) -> Decision:
    """Decide by what is in force now; where there is no clean answer, deny.

    Raises: BundleUnusable, where the operator's own directory cannot judge.
    """
    judge = _bench.seated()
    if isinstance(judge, StandingJudge):
        digest = digest_in_force()
        judge.follow(digest, lambda: packed_bundle(digest))
    return judge.decide(facts)


def who_judges() -> str:
    """Return who judges instead of the activation in force; empty when that does."""
    if settings.OPA_URL:
        return "An OPA server of this company judges (OPA_URL); activations change nothing here."
    if settings.POLICY_DIR is not None:
        return "A directory judges (UNSPRAWL_POLICY_DIR); activations change nothing here."
    return ""


def fault_here() -> str:
    """Return why this process does not judge by what is in force; empty when it does."""
    judge = _bench.seated()
    if isinstance(judge, StandingJudge):
        digest = digest_in_force()
        judge.follow(digest, lambda: packed_bundle(digest))
        return judge.fault
    return ""


def close_judge() -> None:
    """End the child of this process; the next question makes another."""
    _bench.close()


def _judge() -> Judge | RemoteJudge | StandingJudge:
    if settings.OPA_URL:
        return RemoteJudge(settings.OPA_URL)
    if settings.POLICY_DIR is not None:
        return Judge(settings.POLICY_DIR)
    return StandingJudge()
