"""What the ledger refuses, as facts.

NotFound      EntryNotFound · PayloadAbsent · PayloadShredded
Conflict      EvidenceAltered
Invalid       ReasonMissing
Unavailable   PayloadsClosed · LedgerUnreadable · LedgerSuspended
"""

from __future__ import annotations

from kernel.errors import Conflict, Invalid, NotFound, Unavailable


class EntryNotFound(NotFound):
    """Raised when no entry has this id; the edge answers 404."""

    code = "ledger.entry_not_found"
    title = "There is no such entry"


class PayloadAbsent(NotFound):
    """Raised when an entry never had a payload, or its retention has ended."""

    code = "ledger.payload_absent"
    title = "This entry has no payload"


class PayloadShredded(NotFound):
    """Raised when the key of a payload was destroyed: its content is gone, its proof is not."""

    code = "ledger.payload_shredded"
    title = "The payload was destroyed"


class EvidenceAltered(Conflict):
    """Raised when stored bytes are not what the entry committed to; nothing is shown then."""

    code = "ledger.evidence_altered"
    title = "The stored bytes are not what was recorded"


class ReasonMissing(Invalid):
    """Raised when somebody wants to read a payload and does not say why."""

    code = "ledger.reason_missing"
    title = "Say why you need to read this"


class PayloadsClosed(Unavailable):
    """Raised in a process that may write payloads and not read them."""

    code = "ledger.payloads_closed"
    title = "This process may not open payloads"


class LedgerUnreadable(Unavailable):
    """Raised when a check of the ledger could not be carried to its end."""

    code = "ledger.unreadable"
    title = "The ledger could not be read to its end"


class LedgerSuspended(Unavailable):
    """Raised when the database holds less than a witness has seen, as after a restore."""

    code = "ledger.suspended"
    title = "Nothing is recorded until an operator opens a further epoch"
