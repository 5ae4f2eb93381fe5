"""What the gateway needs of the world, and nothing about where it comes from.

`routing.runtime` fills these. Nothing in `routing.gateway` opens a connection, reads a
file or asks the environment.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from yarl import URL

from credentials.broker import SealedRow, SecretText
from ledger.datakeys import DataKeyRow
from ledger.entries import DataKeyInUse, Fields
from ledger.holds import Levels, Move
from ledger.journal import Row
from ledger.levels import Level
from policy.decision import Decision
from routing.gateway.snapshot import Snapshot

Headers = list[tuple[bytes, bytes]]


class Snapshots(Protocol):
    """The state that calls are decided on."""

    def current(self) -> Snapshot:
        """Return it at once. Raises: NotGoverned when it may be stale."""

    async def fresh(self) -> Snapshot:
        """Return it. Raises: NotGoverned when it may be stale."""

    async def look_again(self) -> None:
        """Wait, for a moment at most, until it is known to be true now."""


@dataclass(frozen=True, slots=True)
class StoredResponse:
    """Where a response is kept that an agent got."""

    vendor_id: str
    model: str
    route: str


class StoredResponses(Protocol):
    """Which vendor keeps what, for whom."""

    async def find(self, agent_id: str, response_id: str) -> StoredResponse | None:
        """Return it, for the agent that got it. Raises: NotGoverned."""


class Judge(Protocol):
    """Policy: a pure function of the bundle and the facts."""

    @property
    def bundle_digest(self) -> str: ...

    def decide(self, facts: Mapping[str, object]) -> Decision: ...


class Ledger(Protocol):
    """The record. Returns when an entry, its rows and its moves are durable."""

    @property
    def levels(self) -> Levels:
        """How the windows of budgets stood when they were last written here."""

    def take_doubts(self) -> set[str] | None:
        """Return which refused entries are durable after all; None while that is not known."""

    async def append(
        self,
        fields: Fields,
        *,
        stream: str,
        rows: Sequence[Row] = (),
        is_first: bool = False,
        moves: Sequence[Move] = (),
    ) -> None: ...


class Receipts(Protocol):
    """How far entries have come on their way into the tree."""

    async def reached(self, entry_id: str, level: Level, seconds: float) -> bool:
        """Return True once a durable entry has reached a level; False when the time is over."""


class DataKeys(Protocol):
    """The keys that payloads are encrypted with."""

    def key_for(self, scope: str, data_class: str) -> tuple[DataKeyInUse, DataKeyRow | None]: ...

    def admits(self, scope: str, data_class: str) -> bool: ...

    def confirm(self, dek_id: str) -> None: ...

    def forget(self, scope: str) -> None: ...


class Secrets(Protocol):
    """The opening of vendor secrets."""

    def open(self, row: SealedRow) -> SecretText:
        """Return a secret. Raises: Unavailable leaves when it cannot be opened here."""


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A request to a vendor, complete. Its repr shows no header and no body."""

    method: str
    address: URL
    headers: dict[str, str] = field(repr=False)
    body: bytes = field(repr=False, default=b"")


class Reply(Protocol):
    """A vendor's answer whose head has arrived."""

    @property
    def status(self) -> int: ...

    @property
    def headers(self) -> Headers: ...

    async def read(self, limit: int) -> bytes:
        """Return the whole body. Raises: VendorCut."""

    def pieces(self) -> AsyncIterator[bytes]:
        """Yield the body as it arrives. Raises: VendorCut."""

    def close(self) -> None:
        """Let go; of the connection too, when the body was not read to its end."""


class Upstream(Protocol):
    """The way to vendors."""

    async def send(self, outgoing: Outgoing) -> Reply:
        """Send, and return once the head is there. Raises: VendorUnreachable, VendorCut."""
