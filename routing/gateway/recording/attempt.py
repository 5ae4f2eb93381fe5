"""One attempt as the record states it: for whom, of what, and how it ended.

Owns the words that intents and results are made of, before anything is written.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Final

from kernel.refs import Ref
from ledger.entries import Fact
from ledger.journal import Row
from ledger.subjects import scope_of
from ledger.verbs import Verb
from routing.gateway.authenticate import Caller
from routing.gateway.limits import Said
from routing.gateway.metering import Usage
from routing.gateway.recording.annexes import Left, Received
from routing.gateway.reserving import NOTHING, Reserved
from routing.gateway.runs import RunName
from routing.gateway.snapshot import Target
from routing.gateway.tracing import SpanContext

if TYPE_CHECKING:
    from routing.gateway.delegation.acting import Acting

_NO_FACTS: Final[Mapping[str, Fact]] = {}
# From the least to the most protected. A class that is not here is protected like the last.
_CLASSES: Final = ("public", "internal", "confidential", "personal", "regulated")


@dataclass(frozen=True, slots=True)
class Subject:
    """For whom a call is made: an agent in a run, or an automation of ours."""

    actor: Ref
    stream: str
    scope: str
    data_class: str
    agent_id: str = ""
    key_id: str = ""
    run: RunName | None = None
    acting: Acting | None = None
    span: SpanContext | None = None

    @classmethod
    def of(
        cls, caller: Caller, run: RunName, span: SpanContext | None = None, tag: str = ""
    ) -> Subject:
        agent = caller.agent
        return cls(
            actor=Ref("agent", agent.public_id),
            stream=run.run_id,
            scope=scope_of(agent.public_id, tag),
            data_class=highest(agent.data_classes),
            agent_id=agent.public_id,
            key_id=caller.key.public_id,
            run=run,
            acting=caller.acting,
            span=span,
        )

    def facts(self) -> Mapping[str, Fact]:
        """Say for whom a call is made, where it is not for the agent alone."""
        return self.acting.told if self.acting is not None else _NO_FACTS


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try of a call on one target, as its intent records it."""

    subject: Subject
    entry_id: str
    route: str
    requested_model: str
    target: Target
    streamed: bool
    decided: Mapping[str, Fact]
    started_at: datetime
    operation: str = "chat"
    call_id: str = ""  # the first attempt's entry: what the attempts of one call share
    number: int = 1  # 0 for a shadow
    fallback_reason: str = ""
    choice: str = ""  # the rule that put this target first
    tools: tuple[str, ...] = ()  # what the call offers
    span_id: str = ""  # where the call belongs to a trace

    reserved: Reserved = NOTHING
    setup: str = ""  # the digest of the configuration it is made under
    left: Left | None = None
    made_for: str = ""  # what we make it for in the agent's place; empty: the agent made it

    @property
    def is_shadow(self) -> bool:
        return self.number == 0

    def numbered(self) -> dict[str, Fact]:
        """Say which attempt of which call this is, and why the one before did not serve."""
        facts: dict[str, Fact] = {"call": self.call_id or self.entry_id}
        if self.number:
            facts["attempt"] = self.number
        else:
            facts["shadow"] = True
        if self.fallback_reason:
            facts["fallback_reason"] = self.fallback_reason
        if (arm := self.target.arm) is not None:
            facts |= {"shift": arm.shift, "arm": arm.name}
        if self.subject.acting is not None:
            facts |= self.subject.facts()
        if self.subject.span is not None:
            facts |= self.subject.span.facts(self.span_id)
        return facts


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an attempt ended, as its result records it."""

    status: str
    http_status: int
    usage: Usage
    payload: bytes
    duration_ms: int
    first_byte_ms: int | None = None
    reported_model: str = ""
    error_code: str = ""
    is_payload_cut: bool = False
    was_withheld: bool = False
    is_substituted: bool = False
    vendor_seconds: float = 0.0  # from the moment it was sent; not on record, where duration is
    response_id: str = ""
    is_kept: bool = False
    facts: Mapping[str, Fact] = field(default_factory=dict)  # of the stages it went through
    received: Received | None = None  # what the vendor sent, for replay
    said_of_model: str = ""  # by the vendor: that it ended, is closed, or is not known
    contract: str = ""  # whether it has the form that was asked for, of an agent being moved
    limits: Said | None = None  # of ours at the vendor, as the answer named them


@dataclass(frozen=True, slots=True)
class Reported:
    """What an agent says it did, as its entry records it."""

    entry_id: str
    verb: Verb
    at: datetime
    facts: Mapping[str, Fact]
    content: bytes
    rows: tuple[Row, ...]


# Of an attempt whose intent is durable and was said not to be: it did not leave.
NEVER_LEFT: Final = Outcome("error", 0, Usage(), b"", 0, error_code="journal_down")


def highest(data_classes: tuple[str, ...]) -> str:
    """Return the most protected class of some."""

    def rank(name: str) -> tuple[int, str]:
        return (_CLASSES.index(name) if name in _CLASSES else len(_CLASSES)), name

    return max(data_classes, key=rank, default="internal")
