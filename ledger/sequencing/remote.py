"""Asking a witness over HTTP: what it saw of a log, and for its cosignature.

Owns the client's half of C2SP tlog-witness, and the comparison that a restored database does
not survive. A witness is believed only under its own key; what it says of a size moves us
forward to it, never back.
"""

from __future__ import annotations

import http.client
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, TypeVar
from urllib.parse import quote, urlsplit

import structlog

from ledger.sequencing.witnesses import Diverged, Offer, Unreachable
from ledger.transparency.checkpoints import Checkpoint, CheckpointInvalid
from ledger.transparency.merkle import consistency_proof, root_of
from ledger.transparency.notes import NoteInvalid, SignatureLine, SignedNote, VerifierKey
from ledger.witness.judging import log_and_epoch
from ledger.witness.requests import AddCheckpoint

_MAX_ANSWER_BYTES: Final = 65_536
_TIMEOUT_SECONDS: Final = 5.0
_ATTEMPTS: Final = 3
_Said = TypeVar("_Said")

logger = structlog.get_logger("unsprawl.sequencer")


@dataclass(frozen=True, slots=True)
class Answer:
    """What a witness answered."""

    status: int
    body: bytes


@dataclass(frozen=True, slots=True)
class Witnessed:
    """The newest checkpoint that a witness says it cosigned of a log, under its own key."""

    checkpoint: Checkpoint
    note: SignedNote
    at: int

    def __str__(self) -> str:
        when = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(self.at))
        return f"{self.checkpoint.size} entries of {self.checkpoint.origin} at {when}"


@dataclass(slots=True)
class RemoteWitness:
    """One witness: its address and the key under which it is believed."""

    url: str
    key: VerifierKey
    timeout: float = _TIMEOUT_SECONDS
    _known: dict[str, int] = field(default_factory=dict)

    def newest(self, log: str) -> Witnessed | None:
        """Return what it saw of a log's newest epoch; None for nothing. Raises: Unreachable."""
        answer = self._ask("GET", f"/checkpoint?log={quote(log, safe='')}")
        if answer.status == 404:
            return None
        if answer.status != 200:
            raise Unreachable(
                f"{self.key.name} answers {answer.status} when it is asked what it saw"
            )
        try:
            note = SignedNote.parse(answer.body)
            at = note.verify(self.key)
            checkpoint = Checkpoint.parse(note.text)
        except (NoteInvalid, CheckpointInvalid) as error:
            raise Unreachable(f"{self.key.name} answers what is not its own: {error}") from None
        return Witnessed(checkpoint, note, at or 0)

    def compare(self, offer: Offer) -> None:
        """Return when what it saw begins this tree. Raises: Diverged, Unreachable."""
        log, epoch = log_and_epoch(offer.origin)
        seen = self.newest(log)
        if seen is None:
            if self.key.name in offer.cosigned_by:
                raise Unreachable(
                    f"{self.key.name} says that it saw nothing of {log}, and its own lines are in"
                    " this database: it lost its store, or another one answers. Bring its store"
                    " back; if that is gone for good, name a new witness and open a further epoch"
                )
            return
        _, seen_epoch = log_and_epoch(seen.checkpoint.origin)
        if seen_epoch < epoch:
            return
        if seen_epoch > epoch:
            raise Diverged(
                f"Witness {self.key.name} has seen {seen}; the newest epoch here is {epoch}."
            )
        if seen.checkpoint.size > offer.size:
            raise Diverged(
                f"Witness {self.key.name} has seen {seen}; the tree here has {offer.size}."
            )
        if root_of(seen.checkpoint.size, offer.nodes) != seen.checkpoint.root:
            raise Diverged(
                f"Witness {self.key.name} has seen {seen}, under another root than the tree here"
                " has at that size."
            )

    def cosign(self, offer: Offer) -> SignatureLine:
        """Return its line under a note. Raises: Diverged, Unreachable."""
        if offer.note is None:
            raise ValueError("only a signed note is cosigned")
        known = min(self._known.get(offer.origin, 0), offer.size)
        for _ in range(_ATTEMPTS):
            answer = self._ask("POST", "/add-checkpoint", self._request(offer, known))
            if answer.status != 409:
                line = self._cosignature(offer, answer)
                self._known[offer.origin] = offer.size
                return line
            size = _size(answer.body, self.key.name)
            if size < known:  # it was put back from an older copy, or is another one
                logger.error("witness.forgot", name=self.key.name, cosigned=known, says=size)
            if size > offer.size or size == known:
                raise Diverged(
                    f"Witness {self.key.name} has seen {size} entries of {offer.origin}, which"
                    f" are not the beginning of the {offer.size} here."
                )
            known = size
        raise Unreachable(f"{self.key.name} names another size each time it is asked")

    def _request(self, offer: Offer, old: int) -> bytes:
        assert offer.note is not None  # noqa: S101  asked above
        proof = consistency_proof(old, offer.size, offer.nodes)
        checkpoint = Checkpoint(offer.origin, offer.size, offer.root)
        return bytes(AddCheckpoint(old, tuple(proof), offer.note, checkpoint))

    def _cosignature(self, offer: Offer, answer: Answer) -> SignatureLine:
        if answer.status == 422:
            raise Diverged(
                f"Witness {self.key.name} has seen another beginning of {offer.origin} than the"
                f" {offer.size} entries here have."
            )
        if answer.status != 200:
            words = answer.body[:200].decode(errors="replace").strip()
            raise Unreachable(f"{self.key.name} answers {answer.status}: {words}")
        assert offer.note is not None  # noqa: S101  asked above
        try:
            lines = answer.body.decode().removesuffix("\n").split("\n")
            note = SignedNote(offer.note.text, tuple(map(SignatureLine.parse, lines)))
            note.verify(self.key)
        except (NoteInvalid, UnicodeDecodeError) as error:
            raise Unreachable(f"{self.key.name} answers what is not its own: {error}") from None
        return note.by(self.key)[0]

    def _ask(self, method: str, path: str, body: bytes | None = None) -> Answer:
        parts = urlsplit(self.url)
        deadline = time.monotonic() + self.timeout * 2
        connection: http.client.HTTPConnection
        if parts.scheme == "https":
            context = ssl.create_default_context()
            connection = http.client.HTTPSConnection(
                parts.netloc, timeout=self.timeout, context=context
            )
        else:
            connection = http.client.HTTPConnection(parts.netloc, timeout=self.timeout)
        try:
            connection.request(method, parts.path.rstrip("/") + path, body)
            response = connection.getresponse()
            return Answer(response.status, _read(response, deadline))
        except (OSError, http.client.HTTPException) as error:
            raise Unreachable(f"{self.key.name} does not answer: {type(error).__name__}") from None
        finally:
            connection.close()


class RemoteWitnesses:
    """Every witness that is configured. One that contradicts outweighs all that agree."""

    def __init__(self, witnesses: tuple[RemoteWitness, ...]) -> None:
        self.witnesses = witnesses

    def compare(self, offer: Offer) -> None:
        """Return when at least one answered and none saw another tree."""
        self._each(lambda witness: witness.compare(offer))

    def cosign(self, offer: Offer) -> list[SignatureLine]:
        """Return the lines of those who answered, which is at least one."""
        return self._each(lambda witness: witness.cosign(offer))

    def _each(self, ask: Callable[[RemoteWitness], _Said]) -> list[_Said]:
        answers, silent = list[_Said](), list[str]()
        for witness in self.witnesses:
            try:
                answers.append(ask(witness))
            except Unreachable as error:
                silent.append(str(error))
        if silent and not answers:
            raise Unreachable("; ".join(silent))
        for said in silent:
            logger.error("witness.unreachable", found=said)
        return answers


def _read(response: http.client.HTTPResponse, deadline: float) -> bytes:
    pieces, length = list[bytes](), 0
    while piece := response.read1(8192):
        pieces.append(piece)
        length += len(piece)
        if length > _MAX_ANSWER_BYTES or time.monotonic() > deadline:
            raise TimeoutError
    return b"".join(pieces)


def _size(body: bytes, name: str) -> int:
    spelt = body.removesuffix(b"\n")
    if not spelt.isdigit() or len(spelt) > 19:
        raise Unreachable(f"{name} answers 409 without a size")
    return int(spelt)
