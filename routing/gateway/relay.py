"""What stands between an agent and a vendor: screens on the way out, stages on the way back.

Owns the order in which they work, and that what they hand on is what is recorded. Both sides
of a call may speak differently: a passage names the wire that reads the vendor, and the stages
turn what it said into what the agent is given. A call that needs none of this is carried as if
none of it were here.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from inspect import isawaitable
from typing import Final, Protocol

from kernel.errors import DomainError
from ledger.entries import Fact
from routing.gateway.body import CallBody
from routing.gateway.snapshot import Agent, Route, Target
from routing.gateway.sse import Event
from routing.gateway.tools.ruling import Ruling
from routing.gateway.wires.wire import Wire

NOTHING: Final[Mapping[str, Fact]] = {}


@dataclass(frozen=True, slots=True)
class Asked:
    """A call as it leaves for its vendor: what is sent is what is recorded.

    ``facts`` are said by the intent; ``told`` is what policy hears of the call besides.
    """

    wire: Wire
    agent: Agent
    route: Route
    body: CallBody
    raw: bytes
    facts: Mapping[str, Fact] = field(default_factory=dict)
    told: Mapping[str, object] = field(default_factory=dict)
    ruling: Ruling | None = None  # on its tools

    def rewritten(self, raw: bytes, facts: Mapping[str, Fact] = NOTHING) -> Asked:
        """Return the call with other bytes. Raises: what the wire refuses to read."""
        body = self.body if raw is self.raw else self.wire.read(raw)
        return replace(self, raw=raw, body=body, facts={**self.facts, **facts})


def call_facts(
    asked: Asked,
    agent: Agent,
    route: Route,
    target: Target,
    delegated: Mapping[str, object] | None = None,
    granted: Sequence[str] = (),
) -> dict[str, object]:
    """Return what policy is asked about one attempt."""
    described: dict[str, object] = {
        "call": {
            "route": route.name,
            "operation": asked.wire.operation,
            "region": "",
            **asked.told,
        },
        "agent": agent.described(),
        "target": target.described(),
        "route": route.described(),
    }
    if delegated is not None:
        described["delegation"] = delegated
    if granted:
        described["grants"] = list(granted)
    return described


class Withheld(Exception):
    """Raised by a screen that stops a call: the refusal, and what the record says of it."""

    def __init__(self, error: DomainError, facts: Mapping[str, Fact] = NOTHING) -> None:
        super().__init__(error.code)
        self.error = error
        self.facts = facts


class Screen(Protocol):
    """Looks at every call of a route, once, before policy is asked and anything recorded."""

    def concerns(self, asked: Asked) -> bool:
        """Tell whether there is anything to do: cheap, because every call is asked."""

    async def screen(self, asked: Asked) -> Asked:
        """Return the call as it may leave. Raises: Withheld."""


class Stage:
    """One step of one answer, made for one attempt; this one passes everything as it is.

    ``whole`` and ``finish`` may be coroutines. A DomainError ends the answer: as a refusal
    while nothing has reached the agent, as the typed error event after that.
    """

    def whole(self, status: int, body: bytes) -> bytes | Awaitable[bytes]:
        """Take a whole answer or error, and return what the agent gets."""
        return body

    def take(self, event: Event) -> list[Event]:
        """Take an event of a stream; what is not returned may still be held.

        An event without data was too big to read or is part of such a one. The event that
        ends the stream comes last, after ``finish``.
        """
        return [event]

    def finish(self) -> list[Event] | Awaitable[list[Event]]:
        """Return what is still held. Called once, when nothing but the end can come.

        Also when the vendor broke off; what ``take`` is given after it may not be held.
        """
        return []

    def facts(self) -> Mapping[str, Fact]:
        """Say in the result what was done."""
        return NOTHING

    @property
    def removes(self) -> bool:
        """Tell whether it may take out what nobody is to see: then not even the record."""
        return False


@dataclass(frozen=True, slots=True)
class Passage:
    """How a call goes to one target: the wire that speaks there, the bytes, the way back."""

    wire: Wire
    body: bytes
    facts: Mapping[str, Fact] = field(default_factory=dict)  # such as params_dropped
    translation: Callable[[], Stage] | None = None
    at: int = 0  # the moment that a translated answer names


StageMaker = Callable[[Asked, Target], Stage | None]


def straight(asked: Asked, target: Target) -> Passage:
    """Go to a target that speaks the agent's dialect, with nothing changed but the model."""
    return Passage(asked.wire, asked.wire.for_vendor(asked.body, target.model.name))


@dataclass(frozen=True, slots=True)
class Relays:
    """What this gateway puts between: in this order, and all of it bound in one place."""

    screens: tuple[Screen, ...] = ()
    passage: Callable[[Asked, Target], Passage] = straight
    makers: tuple[StageMaker, ...] = ()  # after the translation

    async def screened(self, asked: Asked) -> Asked:
        """Return the call as it may leave. Raises: Withheld."""
        for screen in self.screens:
            if screen.concerns(asked):
                asked = await screen.screen(asked)
        return asked

    def relay(self, asked: Asked, target: Target, passage: Passage) -> Relay | None:
        """Return what an attempt's answer goes through; None when it goes straight."""
        stages = [passage.translation()] if passage.translation is not None else []
        for make in self.makers:
            if (stage := make(asked, target)) is not None:
                stages.append(stage)
        return Relay(stages) if stages else None


STRAIGHT: Final = Relays()


class Relay:
    """The stages of one attempt. Used once."""

    __slots__ = ("_stages",)

    def __init__(self, stages: Sequence[Stage]) -> None:
        self._stages = stages

    @property
    def removes(self) -> bool:
        """Tell whether any stage may take out what nobody is to see."""
        return any(stage.removes for stage in self._stages)

    async def whole(self, status: int, body: bytes) -> bytes:
        """Return a whole answer as the agent gets it. Raises: DomainError."""
        for stage in self._stages:
            made = stage.whole(status, body)
            body = await made if isawaitable(made) else made
        return body

    def take(self, event: Event) -> list[Event]:
        """Return what an event comes to now. Raises: DomainError."""
        events = [event]
        for stage in self._stages:
            events = _each(stage, events)
        return events

    async def finish(self) -> list[Event]:
        """Return what all of them still held, in order. Raises: DomainError."""
        events: list[Event] = []
        for stage in self._stages:
            held = stage.finish()
            events = _each(stage, events)
            events += await held if isawaitable(held) else held
        return events

    def facts(self) -> dict[str, Fact]:
        return {name: fact for stage in self._stages for name, fact in stage.facts().items()}


def _each(stage: Stage, events: Iterable[Event]) -> list[Event]:
    return [made for event in events for made in stage.take(event)]
