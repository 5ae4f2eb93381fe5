"""The steps at which an executor is killed in tests: a new one needs a test."""

from __future__ import annotations

from enum import StrEnum

from kernel.crashing import VARIABLE, crash

__all__ = ["VARIABLE", "CrashPoint", "crash"]


class CrashPoint(StrEnum):
    """Every step between two facts on the way of an effect."""

    CLAIMED = "effect-claimed"
    INTENT_RECORDED = "effect-intent-recorded"
    BEFORE_SENDING = "effect-before-sending"
    ANSWERED = "effect-answered"
    RECORDED = "effect-recorded"
