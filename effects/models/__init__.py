"""What agents may do in other systems, what they asked to do, and what became of it."""

from __future__ import annotations

from effects.models.connection import Connection, Operation
from effects.models.gate import Gate
from effects.models.interrupt import Interrupt
from effects.models.launch import Correction, Demotion
from effects.models.proposal import AskedAgain, Effect, Proposal

__all__ = [
    "AskedAgain",
    "Connection",
    "Correction",
    "Demotion",
    "Effect",
    "Gate",
    "Interrupt",
    "Operation",
    "Proposal",
]
