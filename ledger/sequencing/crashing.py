"""The steps at which a sequencer is killed in tests: a new one needs a test."""

from __future__ import annotations

from enum import StrEnum

from kernel.crashing import VARIABLE, crash

__all__ = ["VARIABLE", "CrashPoint", "crash"]


class CrashPoint(StrEnum):
    """Every step between two facts on the way of a batch."""

    LOCKED = "locked"
    EPOCH_OPENED = "epoch-opened"
    RESTORED = "restored"
    BATCH_TAKEN = "batch-taken"
    LEAVES_WRITTEN = "leaves-written"
    TILES_WRITTEN = "tiles-written"
    CHECKPOINT_WRITTEN = "checkpoint-written"
    COMMITTED = "committed"
    SIGNED = "signed"
    SIGNATURE_WRITTEN = "signature-written"
    PUBLISHED = "published"
    COSIGNED = "cosigned"
    COSIGNATURE_PUBLISHED = "cosignature-published"
