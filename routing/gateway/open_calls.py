"""The calls in flight, and how each can be ended from outside.

Owns the cut: a revoked key, a client that left, a vendor or reader that is silent for too
long, a shutdown. A cut arrives as the exception that names its cause, at the await where
the call happens to be, and never outside the block that may be cut.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Final

from kernel.errors import DomainError, Unavailable
from routing.gateway.authenticate import Caller, agent_refusal, key_refusal
from routing.gateway.errors import KeyUnknown, NotGoverned, VendorSlow
from routing.gateway.snapshot import Snapshot, Vendor

SWEEP_SECONDS: Final = 0.5
WATCHED_AFTER_SECONDS: Final = 0.2
# What is waited for longer than this is ended by a sweep; a timer for every wait would cost more.
SWEPT_SECONDS: Final = 10.0
# Whoever has not heard of the rules for so long cannot know that a call was not stopped since.
UNGOVERNED_SECONDS: Final = 10.0


class VendorDisabled(Unavailable):
    """Raised in a call whose vendor was disabled while it ran."""

    code = "routing.vendor_stopped"
    title = "The vendor was disabled while the call ran"


class ClientLeft(Exception):
    """Raised in a call whose client went away, or stopped reading."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a call waits for whom, in seconds."""

    first_byte: float = 600.0
    idle: float = 300.0
    reader: float = 120.0
    total: float = 3600.0


class OpenCall:
    """One call in flight. As a context manager it is the block in which a cut may arrive."""

    __slots__ = (
        "_cancelling",
        "_task",
        "_timer",
        "_watch",
        "_watcher",
        "begun",
        "caller",
        "cause",
        "deadline",
        "last_deadline",
        "model",
        "overdue",
        "route",
        "vendor",
    )

    def __init__(
        self,
        caller: Caller | None,
        vendor: Vendor,
        patience: Patience,
        model: str = "",
        route: str = "",
        until: float | None = None,
    ) -> None:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101  always inside one
        self._task = task
        self._cancelling: int | None = None
        self.caller = caller
        self.vendor = vendor
        self.model, self.route = model, route  # public ids
        self.cause: BaseException | None = None
        total = time.monotonic() + patience.total
        self.last_deadline = total if until is None else min(total, until)
        self.deadline = self.last_deadline
        self._timer: asyncio.TimerHandle | None = None
        self.overdue: BaseException = VendorSlow()
        self.begun = time.monotonic()
        self._watch: Callable[[], Awaitable[None]] | None = None
        self._watcher: asyncio.Future[None] | None = None

    def watch_with(self, watch: Callable[[], Awaitable[None]]) -> None:
        """Name what is to be awaited beside the call, once it has lasted for a while.

        Most calls are over sooner, and a task for each would cost more than its watching.
        """
        self._watch = watch

    def start_watching(self) -> None:
        if self._watch is not None:
            self._watcher = asyncio.ensure_future(self._watch())
            self._watch = None

    def stop_watching(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._watch = None
        if self._watcher is not None:
            self._watcher.cancel()

    def expect(self, seconds: float, overdue: BaseException) -> None:
        """From now on, be cut with this cause when nothing happens for so long."""
        now = time.monotonic()
        self.deadline = min(now + seconds, self.last_deadline)
        self.overdue = overdue
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self.deadline - now < SWEPT_SECONDS:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(self.deadline - now, self._end_overdue)

    def _end_overdue(self) -> None:
        self.cut(self.overdue)

    def cut(self, cause: BaseException) -> None:
        """End the block with a cause; the first cause stands."""
        if self.cause is None:
            self.cause = cause
            if self._cancelling is not None:
                self._task.cancel()

    def __enter__(self) -> OpenCall:
        self._cancelling = self._task.cancelling()
        if self.cause is not None:
            self._cancelling = None
            raise self.cause
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        began, self._cancelling = self._cancelling, None
        if self.cause is None or began is None:
            return
        if self._task.uncancel() <= began and kind is asyncio.CancelledError:
            raise self.cause from None


class OpenCalls:
    """All calls in flight of this process."""

    def __init__(self, patience: Patience) -> None:
        self.patience = patience
        self._calls: set[OpenCall] = set()
        self._reviewed: Snapshot | None = None

    def __len__(self) -> int:
        return len(self._calls)

    def __iter__(self) -> Iterator[OpenCall]:
        return iter(tuple(self._calls))

    def add(
        self,
        caller: Caller | None,
        vendor: Vendor,
        *,
        model: str = "",
        route: str = "",
        until: float | None = None,
    ) -> OpenCall:
        """Begin a call, to be over by a moment of the monotonic clock where one is given.

        It was let through a moment ago; what was taken back since then cuts it here, because
        the review that this came with has not seen it.
        """
        call = OpenCall(caller, vendor, self.patience, model, route, until)
        self._calls.add(call)
        if self._reviewed is not None and (refusal := _refusal(call, self._reviewed)):
            call.cut(refusal)
        return call

    def remove(self, call: OpenCall) -> None:
        self._calls.discard(call)
        call.stop_watching()

    def review(self, snapshot: Snapshot) -> None:
        """Cut every call that would not be let through now."""
        self._reviewed = snapshot
        for call in self:
            if refusal := _refusal(call, snapshot):
                call.cut(refusal)

    def sweep(self, rules_age: float = 0.0) -> None:
        """Cut every call that waits for longer than it may; watch those that last.

        All are cut when the rules were last known to hold too long ago.
        """
        now = time.monotonic()
        for call in self:
            if rules_age > UNGOVERNED_SECONDS:
                call.cut(NotGoverned())
            elif call.deadline <= now:
                call.cut(call.overdue)
            elif call.begun + WATCHED_AFTER_SECONDS <= now:
                call.start_watching()


def _refusal(call: OpenCall, snapshot: Snapshot) -> DomainError | None:
    vendor = snapshot.vendors.get(call.vendor.public_id)
    if vendor is None or not vendor.is_enabled:
        return VendorDisabled()
    if snapshot.stops and (
        stopped := snapshot.stops.of_aim(vendor.public_id, call.model, call.route)
    ):
        return stopped
    if call.caller is None:
        return None
    key = snapshot.keys.get(call.caller.key.key_id)
    agent = snapshot.agents.get(call.caller.key.agent)
    if key is None or agent is None:
        return KeyUnknown()
    # A key that merely expires meanwhile was good when the call began.
    refusal = (key_refusal(key) if key.is_revoked else None) or agent_refusal(agent)
    if refusal is None and snapshot.stops:
        refusal = snapshot.stops.of_caller(key, agent)
    if refusal is None and call.caller.acting is not None:
        return call.caller.acting.refusal(snapshot)
    return refusal
