"""The judge by the bundle in force, which may change while it is being asked.

A new bundle is built beside the old one and takes over when it can judge: there is no moment
without a judge. A bundle that cannot be built changes nothing but what is said of it; where
no bundle is in force, everything is denied.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from typing import Final

from policy.bundle import Bundle
from policy.decision import UNAVAILABLE, Decision, denied
from policy.engine import Judge
from policy.errors import BundleUnusable
from policy.facts import read_facts

NONE_IN_FORCE: Final = "No policy is in force."
AGAIN_SECONDS: Final = 5.0  # before a bundle that could not be built is tried again
# Decisions of a bundle that has just been replaced are still being put on record.
REMEMBERED: Final = 3
_CHANGES: Final = 3  # of the bundle, under one question


class StandingJudge:
    """Decides by the bundle it was last given. Safe for threads; close it."""

    def __init__(self, make: Callable[[Bundle], Judge] = Judge) -> None:
        self._make = make
        self._judge: Judge | None = None
        self._changing = threading.Lock()
        self._packed: dict[str, bytes] = {}
        self._is_closed = False
        self._refused = ("", 0.0)  # a bundle that could not be built, and until when it rests
        self.fault = ""  # why the bundle that should judge does not

    @property
    def bundle_digest(self) -> str:
        judge = self._judge
        return "" if judge is None else judge.bundle_digest

    def packed_bundle(self, digest: str) -> bytes | None:
        """Return the bytes of a bundle that judges, or did a moment ago."""
        return self._packed.get(digest)

    def follow(self, digest: str, read: Callable[[], bytes]) -> None:
        """Judge by the bundle of this digest from now on; by none when it is empty.

        ``read`` returns its bytes and is called when they are needed. What cannot be built is
        tried again after a while.
        """
        if digest == self.bundle_digest:
            self.fault = "" if digest else NONE_IN_FORCE
            return
        if digest == self._refused[0] and time.monotonic() < self._refused[1]:
            return
        with self._changing:
            if digest == self.bundle_digest or self._is_closed:
                return
            if not digest:
                self._replace(None)
                self.fault = NONE_IN_FORCE
                return
            try:
                self._replace(self._built(digest, read()))
            except (BundleUnusable, OSError) as error:
                self._refused = digest, time.monotonic() + AGAIN_SECONDS
                self.fault = str(error) or type(error).__name__
            else:
                self.fault = ""

    def decide(self, facts: Mapping[str, object]) -> Decision:
        """Decide; where there is no clean answer, deny."""
        for _ in range(_CHANGES):
            judge = self._judge
            if judge is None:
                break
            decision = judge.decide(facts)
            # One that was being replaced as it was asked has no answer; its successor has.
            if decision.rule != UNAVAILABLE or judge is self._judge:
                return decision
        return denied(UNAVAILABLE, self.bundle_digest, read_facts(facts)[1])

    def close(self) -> None:
        """End the child; every later question is denied."""
        with self._changing:
            self._is_closed = True
            self._replace(None)

    def abandon(self) -> None:
        """Let go of a child that belongs to the process this one was forked from."""
        self._changing = threading.Lock()
        judge, self._judge = self._judge, None
        if judge is not None:
            judge.abandon()

    def _built(self, digest: str, packed: bytes) -> Judge:
        bundle = Bundle.unpack(packed)
        if bundle.digest != digest:
            raise BundleUnusable("The bundle's bytes are not those that were activated.")
        judge = self._make(bundle)
        self._packed[digest] = packed
        while len(self._packed) > REMEMBERED:
            del self._packed[next(iter(self._packed))]
        return judge

    def _replace(self, judge: Judge | None) -> None:
        former, self._judge = self._judge, judge
        if former is not None:
            former.close()
