"""What the ledger refuses, as facts.

NotFound      EntryNotFound · EpochNotFound · TileNotFound · PayloadAbsent · PayloadShredded
Conflict      EvidenceAltered · MonthKept · NoEpochToLeave
Invalid       ReasonMissing · AgeTooShort · EpochNeedsReason
TooLarge      StreamTooLarge
Unavailable   PayloadsClosed · LedgerUnreadable · ShredJournalUnusable
              JournalDown (LedgerSuspended; JournalFull, NotRecordable of `ledger.journal`)
"""

from __future__ import annotations

from kernel.errors import Conflict, Invalid, NotFound, TooLarge, Unavailable


class EntryNotFound(NotFound):
    """Raised when no entry has this id; the edge answers 404."""

    code = "ledger.entry_not_found"
    title = "There is no such entry"


class EpochNotFound(NotFound):
    """Raised when no epoch has this number, or none was opened yet."""

    code = "ledger.epoch_not_found"
    title = "There is no such epoch"


class TileNotFound(NotFound):
    """Raised when a name is no tile of the newest signed tree."""

    code = "ledger.tile_not_found"
    title = "The signed tree has no such tile"


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


class JournalDown(Unavailable):
    """Raised when nothing can be recorded now; nothing may happen that is not on record."""

    code = "ledger.journal_down"
    title = "The ledger cannot be written right now"


class LedgerSuspended(JournalDown):
    """Raised when the database holds less than a witness has seen, as after a restore."""

    code = "ledger.suspended"
    title = "Nothing is recorded until an operator opens a further epoch"


class ShredJournalUnusable(Unavailable):
    """Raised when it cannot be told which keys were destroyed; nothing is opened then."""

    code = "ledger.shred_journal_unusable"
    title = "The journal of destroyed keys is missing or cut off"


class StreamTooLarge(TooLarge):
    """Raised when more was said in a stream than one reading takes into memory."""

    code = "ledger.stream_too_large"
    title = "Too much was said to read it at once"


class AgeTooShort(Invalid):
    """Raised for an age below the floor, or beyond what anybody means."""

    code = "ledger.age_too_short"
    title = "Payloads cannot be kept for so short a time"


class MonthKept(Conflict):
    """Raised when the payloads of a month may not be dropped yet."""

    code = "ledger.month_kept"
    title = "The payloads of this month are kept"


class NoEpochToLeave(Conflict):
    """Raised when nothing calls for a further epoch, or there is not even a first."""

    code = "ledger.no_epoch_to_leave"
    title = "Nothing calls for a further epoch"


class EpochNeedsReason(Invalid):
    """Raised when an epoch is opened and nobody says why; an auditor will ask."""

    code = "ledger.epoch_needs_reason"
    title = "Say why the log is left, in one line"
