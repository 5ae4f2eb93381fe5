"""Opening a further epoch: after a restore, in another cluster, or under another key.

What is left behind is said in public: the entry that opens an epoch names the tree that is
left, what witnesses saw of it, and why; and a **fork record**, the same as a signed note, is
kept in that entry. The owner's role alone may open one, with everybody else kept out.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

import psycopg
from django.db import connection, transaction

from kernel import clock
from kernel.clock import stamp
from kernel.refs import Ref
from ledger.entries import Fact, Link
from ledger.errors import EpochNeedsReason, NoEpochToLeave
from ledger.record import record
from ledger.sequencing.comparing import offer_of
from ledger.sequencing.epochs import TreeEpoch, hold_epochs, newest_epoch
from ledger.sequencing.keys import SigningKey
from ledger.transparency.checkpoints import Checkpoint
from ledger.transparency.notes import SignedNote
from ledger.verbs import Verb

FORK_FORMAT: Final = "unsprawl.fork/1"
_MOST: Final = 2_000


@dataclass(frozen=True, slots=True)
class Sighting:
    """What one witness saw of the log, and under which name it said so."""

    witness: str
    checkpoint: Checkpoint


@dataclass(frozen=True, slots=True)
class Plan:
    """What opening would do, for a person to look at first."""

    left: TreeEpoch
    size: int
    root: bytes
    seen: tuple[Sighting, ...]
    origin: str
    number: int
    key: SigningKey
    reason: str
    why: tuple[str, ...]  # what calls for it

    @property
    def lost(self) -> int:
        """Return how many witnessed entries this database does not hold; 0 when it cannot tell."""
        seen = [one.checkpoint for one in self.seen]
        return max([0, *(one.size - self.size for one in seen if one.origin == self.left.origin)])


def plan_epoch(*, key: SigningKey, reason: str, seen: Sequence[Sighting] = ()) -> Plan:
    """Say what opening a further epoch would do. Raises: NoEpochToLeave, EpochNeedsReason."""
    line = " ".join(reason.split())
    if not line or len(line) > _MOST:
        raise EpochNeedsReason(f"A reason has 1 to {_MOST} characters.")
    raw = _raw()
    left = newest_epoch(raw)
    if left is None:
        raise NoEpochToLeave("There is no epoch yet; the sequencer opens the first.")
    why = _what_calls_for_it(left, key)
    if not why:
        raise NoEpochToLeave(
            f"Epoch {left.number} is not suspended, is of this cluster and has this key."
        )
    offer = offer_of(raw, left)
    number = 1 + max([left.number, *(_number(one.checkpoint.origin) for one in seen)])
    origin = f"{left.origin.rpartition('/')[0]}/{number}"
    return Plan(left, offer.size, offer.root, tuple(seen), origin, number, key, line, why)


def open_epoch(plan: Plan, *, actor: Ref, old_key: SigningKey | None = None) -> Link:
    """Open the epoch that was planned. Its opening is the first leaf of the new tree.

    Under a lock that keeps every batch and every other entry out, so that no entry falls
    between two trees, and what is recorded of the old tree is where it ended. Raises:
    NoEpochToLeave when another one was opened meanwhile.
    Records: epoch.opened.
    """
    with transaction.atomic():
        raw = _raw()
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL lock_timeout = '30s'")
            hold_epochs(raw)
            cursor.execute("LOCK TABLE ledger_entry IN SHARE ROW EXCLUSIVE MODE")
            newest = newest_epoch(raw)
            if newest is None or newest.number != plan.left.number:
                raise NoEpochToLeave("Another epoch was opened meanwhile.")
            # The tree may have grown while a person looked at the plan; from here it does not.
            offer = offer_of(raw, newest)
            plan = replace(plan, left=newest, size=offer.size, root=offer.root)
            at = clock.now()
            cursor.execute(
                "INSERT INTO ledger_epoch (number, origin, public_key, system_identifier,"
                " first_entry, opened_at, reason) SELECT %s, %s, %s,"
                " (SELECT system_identifier FROM pg_control_system()),"
                " coalesce((SELECT max(id) FROM ledger_entry), 0) + 1, %s, %s",
                [plan.number, plan.origin, plan.key.public, at, plan.reason],
            )
        note = fork_record(plan, at, old_key)
        log = Ref("ledger", plan.left.log_id)
        return record(Verb.EPOCH_OPENED, log, actor=actor, facts=_facts(plan, note))


def fork_record(plan: Plan, at: datetime, old_key: SigningKey | None = None) -> SignedNote:
    """Write down what is left and why, signed by the new key, and by the old one where it is."""
    left = plan.left
    lines = [
        FORK_FORMAT,
        f"opened {plan.origin} {_b64(plan.key.public)} {stamp(at)}",
        f"left {left.origin} {plan.size} {_b64(plan.root)}",
        *(
            f"witnessed {one.checkpoint.origin} {one.checkpoint.size}"
            f" {_b64(one.checkpoint.root)} {one.witness}"
            for one in plan.seen
        ),
        f"because {plan.reason}",
    ]
    text = "".join(f"{line}\n" for line in lines)
    signatures = [plan.key.sign(text, plan.origin)]
    if old_key is not None and old_key.public == left.public_key:
        signatures.append(old_key.sign(text, left.origin))
    return SignedNote(text, tuple(signatures))


def _facts(plan: Plan, note: SignedNote) -> dict[str, Fact]:
    seen = max(plan.seen, key=lambda one: one.checkpoint.size, default=None)
    return {
        "origin": plan.origin,
        "public_key": _b64(plan.key.public),
        "reason": plan.reason,
        "left_origin": plan.left.origin,
        "left_size": plan.size,
        "left_root": plan.root.hex(),
        "witnessed_origin": seen.checkpoint.origin if seen else None,
        "witnessed_size": seen.checkpoint.size if seen else None,
        "witnessed_root": seen.checkpoint.root.hex() if seen else None,
        "fork_record": bytes(note).decode(),
    }


def _what_calls_for_it(left: TreeEpoch, key: SigningKey) -> tuple[str, ...]:
    reasons = (
        (left.is_suspended, "the epoch is suspended"),
        (not left.is_of_this_cluster, "this is another database cluster than it was opened in"),
        (left.public_key != key.public, "the log's key is another one now"),
    )
    return tuple(words for applies, words in reasons if applies)


def _raw() -> psycopg.Connection[Any]:
    connection.ensure_connection()
    raw: psycopg.Connection[Any] = connection.connection
    return raw


def _number(origin: str) -> int:
    return int(origin.rsplit("/", 1)[1])


def _b64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()
