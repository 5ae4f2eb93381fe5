"""What a witness says yes to: a tree that grew from the one it saw, signed by the known key.

It remembers before it cosigns. Of a log (``<log>/<number>`` is the origin of an epoch) it
takes further epochs only under the key it knows, and none of an epoch that has been left.
"""

from __future__ import annotations

import logging
import os
import re
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from ledger.transparency import notes
from ledger.transparency.merkle import ProofInvalid, verify_consistency
from ledger.transparency.notes import NoteInvalid, SignedNote, VerifierKey
from ledger.witness.identity import Identity
from ledger.witness.requests import AddCheckpoint, RequestMalformed
from ledger.witness.store import Seen, Store

_log: Final = logging.getLogger(__name__)
_EPOCH: Final = re.compile(r"(?P<log>.+)/(?P<epoch>[1-9][0-9]{0,8})")
_SIZE: Final = "text/x.tlog.size"
_PLAIN: Final = "text/plain; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Answer:
    """What is sent back."""

    status: int
    body: str
    media: str = _PLAIN


def log_and_epoch(origin: str) -> tuple[str, int]:
    """Split an epoch's origin; one that is not of this form is a log without epochs."""
    found = _EPOCH.fullmatch(origin)
    return (found["log"], int(found["epoch"])) if found else (origin, 0)


class Witness:
    """One witness: its key, its memory, the keys of logs it was told of."""

    def __init__(
        self,
        identity: Identity,
        store: Store,
        told: tuple[bytes, ...],
        *,
        now: Callable[[], float] = time.time,
        crash_at: str = "",
    ) -> None:
        self.identity = identity
        self.store = store
        self._told = told
        self._now = now
        self._crash_at = crash_at

    def add_checkpoint(self, body: bytes) -> Answer:
        """Cosign a checkpoint, or say why not (C2SP tlog-witness)."""
        try:
            asked = AddCheckpoint.parse(body)
        except RequestMalformed as error:
            return Answer(400, f"{error}\n")
        with self.store.changing():
            answer = self._weigh(asked)
            self._crash("before-persist")
        self._crash("after-persist")
        if isinstance(answer, Answer):
            return answer
        line = self._cosigned(asked.note.text, answer.seen_at)
        return Answer(200, f"{line}\n")

    def checkpoint(self, *, origin: str = "", log: str = "") -> Answer:
        """Return the note last cosigned of an origin, or of a log's newest epoch. Ours, not C2SP's.

        It carries the witness's cosignature, so nobody in between can alter it.
        """
        seen = self.store.seen(origin) if origin else self.store.newest_of(log)
        if seen is None:
            return Answer(404, "nothing was seen of this log\n")
        note = SignedNote.parse(seen.note)
        line = self._cosigned(note.text, seen.seen_at)
        return Answer(200, bytes(note.with_lines([line])).decode())

    def forks(self, origin: str) -> Answer:
        """Return the signed notes that contradict what was cosigned, one after the other."""
        found = self.store.forks(origin)
        return Answer(200, "\n".join(note.decode() for note in found))

    def _weigh(self, asked: AddCheckpoint) -> Answer | Seen:
        """Judge a request under the store's lock, and remember it when it is good."""
        checkpoint = asked.checkpoint
        log, epoch = log_and_epoch(checkpoint.origin)
        known = self.store.seen(checkpoint.origin)
        newest = self.store.newest_of(log)
        if newest is not None and epoch < newest.epoch:
            return Answer(404, f"this epoch was left: {newest.origin} has been seen\n")
        keys = self._keys_for(log, known)
        if not keys:
            return Answer(404, "this log is not known here, or its key signs another one\n")
        signer = _signer(asked.note, checkpoint.origin, keys)
        if signer is None:
            return Answer(403, "there is no signature by a key that is known for this log\n")
        seen = self._as_seen(asked, signer, log, epoch)
        refusal = self._compare(asked, seen, known)
        if refusal is not None:
            return refusal
        self.store.put(seen)
        if known is None:
            if self.store.key_for(log) is None:
                self.store.trust(log, signer, seen.seen_at)
            _log.warning("a log begins: %s", checkpoint.origin)
        return seen

    def _keys_for(self, log: str, known: Seen | None) -> tuple[bytes, ...]:
        if known is not None:
            return (known.public,)  # an epoch has one key from its beginning to its end
        trusted = self.store.key_for(log)
        if trusted is not None:
            return (trusted,)
        # A key begins one log. One that begins another has lost its first, or hides it.
        return tuple(key for key in self._told if not self.store.is_of_a_log(key))

    def _compare(self, asked: AddCheckpoint, seen: Seen, known: Seen | None) -> Answer | None:
        size, root = (known.size, known.root) if known else (0, b"")
        if known and seen.size == size and seen.root != root:
            self.store.put_fork(seen)
            _log.error("two roots are signed for one size: %s at %s", seen.origin, size)
            return Answer(409, f"{size}\n", _SIZE)
        if asked.old != size:
            return Answer(409, f"{size}\n", _SIZE)
        try:
            if known is not None:
                verify_consistency(size, seen.size, root, seen.root, asked.proof)
            elif asked.proof:
                raise ProofInvalid("nothing is to be proven, and the proof is not empty")
        except ProofInvalid as error:
            return Answer(422, f"{error}\n")
        return None

    def _as_seen(self, asked: AddCheckpoint, signer: bytes, log: str, epoch: int) -> Seen:
        checkpoint = asked.checkpoint
        key = VerifierKey(checkpoint.origin, notes.ED25519, signer)
        kept = SignedNote(asked.note.text, tuple(asked.note.by(key)))
        return Seen(
            checkpoint.origin, log, epoch, signer, checkpoint.size, checkpoint.root, bytes(kept),
            int(self._now()),
        )  # fmt: skip

    def _cosigned(self, text: str, at: int) -> notes.SignatureLine:
        return notes.cosign(text, self.identity.key.name, self.identity.private, at=at)

    def _crash(self, place: str) -> None:
        """End at once where a test asks for it, as a kill -9 at this very place would."""
        if self._crash_at == place:
            os.kill(os.getpid(), signal.SIGKILL)


def _signer(note: SignedNote, origin: str, keys: tuple[bytes, ...]) -> bytes | None:
    for public in keys:
        try:
            note.verify(VerifierKey(origin, notes.ED25519, public))
        except NoteInvalid:
            continue
        return public
    return None
