"""Something that an agent said, to be kept or destroyed."""

from __future__ import annotations

from typing import Any

from kernel.refs import Ref
from ledger.entries import Link
from ledger.record import record
from ledger.verbs import Verb

AGENT = Ref("agent", "agt_one")
SECURITY = Ref("person", "per_security")


def say(text: bytes = b"canary", *, agent: str = "agt_one", **over: Any) -> Link:
    """Record something that an agent said."""
    given: dict[str, Any] = {"agent_id": agent, "payload": text, "stream": "run_a"} | over
    return record(Verb.CALL_INTENDED, Ref("agent", agent), actor=AGENT, **given)
