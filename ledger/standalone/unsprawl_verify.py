#!/usr/bin/env python3
"""Check an export of an Unsprawl ledger. One file: Python 3.9 or later, and `cryptography`.

    python3 unsprawl_verify.py EXPORT --key LOG_KEY [--witness WITNESS_KEY] [--since NOTE]

A key is the base64 of an Ed25519 public key, a vkey, or a file that holds one. What the
export says of itself is not believed: every entry is hashed and led to a root that the log
has signed, every chain is followed, every stored payload is hashed. Nothing in the file is
executed, no network is used, and memory does not grow with the number of entries.

Exit: 0 valid; 1 invalid, and the first bad entry is named; 2 incomplete: it could not be
told; 3 diverged: two signed statements of this log contradict each other.

The format, byte for byte: docs/ledger-format.md of the project. This file shares no code
with it.
"""

from __future__ import annotations

import argparse
import binascii
import hashlib
import json
import multiprocessing
import os
import re
import shutil
import sys
import tempfile
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime, timedelta, timezone
from typing import Any, BinaryIO, NamedTuple

try:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
except ImportError:  # pragma: no cover  said by `main`
    sys.stderr.write("This needs the package `cryptography`: python3 -m pip install cryptography\n")
    sys.exit(2)

VALID, INVALID, INCOMPLETE, DIVERGED = 0, 1, 2, 3
WORDS = ("valid", "invalid", "incomplete", "diverged")

FORMAT = "unsprawl.export/2"
LONGEST_LINE = 128 * 1024 * 1024
BLOCK_BYTES = 4 * 1024 * 1024
ALONE_BELOW = 16 * 1024 * 1024  # a smaller file is not worth further processes
FINDINGS_KEPT = 100
WIDTH = 256
MAX_SIZE = 2**63 - 1
MAX_SIGNATURES = 100
LARGEST = 2**53 - 1
EARLY_SECONDS, LATE_SECONDS = 120, 900

KINDS = frozenset(
    {"intent", "result", "decision", "proposal", "review", "effect", "change", "access", "report"}
)
LINE = "\0line\0"  # stands for a number that only the whole file tells
# What entries name by digest: the fact, and the kind of the artifact.
NAMED = {"bundle": "policy_bundle", "input": "decision_input", "setup": "call_setup"}
TOMBSTONE = "datakey.shredded"


class Malformed(Exception):
    """What was read is not what its place asks for; says how it differs."""


class Cut(Exception):
    """The file ends before it should."""


# --- JSON in its one form (RFC 8785, as far as the format uses it: no fractions)


def _refuse(text: str) -> Any:
    raise ValueError(f"{text[:20]} is not a number of this format")


def _whole(text: str) -> int:
    if len(text) > 20:
        _refuse(text)
    return int(text)


_BULK = json.JSONDecoder(parse_float=_refuse, parse_constant=_refuse)
_STRICT = json.JSONDecoder(parse_float=_refuse, parse_constant=_refuse, parse_int=_whole)
_SPELL = json.JSONEncoder(
    ensure_ascii=False, sort_keys=True, separators=(",", ":"), check_circular=False
).encode
_SPELL_AS_IS = json.JSONEncoder(
    ensure_ascii=False, separators=(",", ":"), check_circular=False
).encode


def _utf16(key: str) -> bytes:
    return key.encode("utf-16-be", "surrogatepass")


def _in_order(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _in_order(value[key]) for key in sorted(value, key=_utf16)}
    return [_in_order(item) for item in value] if isinstance(value, list) else value


def read_canonical(raw: bytes) -> Any:
    """Read one document, and see that it is written in its one form."""
    try:
        text = raw.decode("utf-8")
        value = _STRICT.decode(text)
        spelt = _SPELL(value) if text.isascii() else _SPELL_AS_IS(_in_order(value))
    except (ValueError, RecursionError):
        raise Malformed("is not JSON") from None
    if spelt != text:
        raise Malformed("is not in canonical form")
    return value


def _unbase64(text: Any, what: str, length: int | None = None) -> bytes:
    spelt = text if isinstance(text, bytes) else str(text).encode("utf-8", "replace")
    try:
        raw = binascii.a2b_base64(spelt)
    except ValueError:
        raise Malformed(f"{what} is not base64") from None
    # What is no base64 was passed over, so that the length tells; so do the last bits.
    rest = len(raw) % 3
    if len(raw) // 3 * 4 + (4 if rest else 0) != len(spelt) or (
        rest and binascii.b2a_base64(raw[-rest:], newline=False) != spelt[-4:]
    ):
        raise Malformed(f"{what} is not base64 in its one spelling")
    if length is not None and len(raw) != length:
        raise Malformed(f"{what} has {len(raw)} bytes, not {length}")
    return raw


def _spelt(raw: bytes) -> str:
    return binascii.b2a_base64(raw, newline=False).decode()


def _members(document: Any, names: str, what: str) -> dict[str, Any]:
    if not isinstance(document, dict) or sorted(document) != names.split():
        raise Malformed(f"{what} does not have exactly the members {names}")
    return document


def _text(value: Any, what: str) -> str:
    if not isinstance(value, str):
        raise Malformed(f"{what} is not a text")
    return value


def _count(value: Any, what: str, largest: int = MAX_SIZE) -> int:
    if type(value) is not int or not 0 <= value <= largest:
        raise Malformed(f"{what} is not a whole number in its range")
    return value


# --- times: compared as they are written, for they all have one length


def _moment(seconds: int) -> str:
    """Write a time in seconds since 1970 as entries write theirs."""
    epoch = datetime(1970, 1, 1, tzinfo=timezone.utc)
    try:
        moment = epoch + timedelta(seconds=seconds)
    except OverflowError:
        return "9999-12-31T23:59:59.999999Z" if seconds > 0 else "0001-01-01T00:00:00.000000Z"
    return moment.replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


def _is_moment(text: Any) -> bool:
    try:
        if len(text) != 27 or text[26] != "Z" or text[10] != "T":
            return False
        spelt: str = datetime.fromisoformat(text[:26]).isoformat(timespec="microseconds")
    except (TypeError, ValueError):
        return False
    return bool(spelt == text[:26])


# --- signed notes (C2SP signed-note, tlog-checkpoint, tlog-cosignature)


class Line(NamedTuple):
    """One signature line of a note."""

    name: str
    key_hash: bytes
    signature: bytes


class Note(NamedTuple):
    """A text and the lines under it; none is believed yet."""

    text: str
    lines: tuple[Line, ...]

    def by(self, name: str, kind: int, public: bytes) -> Line | None:
        """Return the one line that says it is this key's."""
        named = hashlib.sha256(name.encode() + b"\n" + bytes([kind]) + public).digest()[:4]
        found = [line for line in self.lines if (line.name, line.key_hash) == (name, named)]
        if len(found) > 1:
            raise Malformed(f"it has more than one signature by {name}")
        return found[0] if found else None


def parse_note(raw: bytes) -> Note:
    """Read a signed note."""
    try:
        whole = raw.decode("utf-8")
    except UnicodeDecodeError:
        raise Malformed("the note is not UTF-8") from None
    if any(char < " " and char != "\n" for char in whole):
        raise Malformed("the note has control characters")
    text, blank, under = whole.rpartition("\n\n")
    if not blank or not text or not under.endswith("\n"):
        raise Malformed("the note is not a text, a blank line and signature lines")
    spelt = under[:-1].split("\n")
    if len(spelt) > MAX_SIGNATURES:
        raise Malformed("the note has too many signatures")
    return Note(text + "\n", tuple(map(_parse_line, spelt)))


def _parse_line(line: str) -> Line:
    name, space, encoded = line[2:].partition(" ")
    if not line.startswith("\u2014 ") or not space or not _is_name(name):
        raise Malformed("a signature line is not: dash, name, base64")
    raw = _unbase64(encoded, "a signature")
    if len(raw) < 5:
        raise Malformed("a signature line has no signature")
    return Line(name, raw[:4], raw[4:])


def _is_name(name: str) -> bool:
    return bool(name) and "+" not in name and not any(char.isspace() for char in name)


def signature_holds(public: bytes, signature: bytes, message: bytes) -> bool:
    """Say whether an Ed25519 signature is one."""
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


def cosigned_at(note: Note, line: Line, public: bytes) -> int:
    """Return the time of a witness's cosignature/v1."""
    if len(line.signature) != 72:
        raise Malformed(f"the cosignature by {line.name} has the wrong length")
    at = int.from_bytes(line.signature[:8], "big")
    message = f"cosignature/v1\ntime {at}\n{note.text}".encode()
    if not signature_holds(public, line.signature[8:], message):
        raise Malformed(f"the cosignature by {line.name} does not hold")
    return at


class Head(NamedTuple):
    """What a checkpoint's text says."""

    origin: str
    size: int
    root: bytes


_DECIMAL = re.compile(r"0|[1-9][0-9]{0,18}")


def parse_checkpoint(text: str) -> Head:
    """Read a checkpoint's text."""
    lines = text.split("\n")
    if len(lines) < 4 or lines[-1] or not all(lines[:-1]) or not _is_name(lines[0]):
        raise Malformed("a checkpoint has an origin, a size and a root, a line each")
    if not _DECIMAL.fullmatch(lines[1]) or int(lines[1]) > MAX_SIZE:
        raise Malformed("a checkpoint's size is not a number up to 2^63 - 1")
    root = _unbase64(lines[2], "a checkpoint's root", 32)
    if lines[1] == "0" and root != hashlib.sha256(b"").digest():
        raise Malformed("an empty tree has one root, and this is another")
    return Head(lines[0], int(lines[1]), root)


# --- the tree (RFC 6962, C2SP tlog-tiles)


def node_hash(left: bytes, right: bytes) -> bytes:
    """Hash two subtrees into their parent."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def subtree_root(hashes: bytes) -> bytes:
    """Return the root over a power of two of hashes, joined."""
    row = [hashes[at : at + 32] for at in range(0, len(hashes), 32)]
    while len(row) > 1:
        row = [node_hash(row[at], row[at + 1]) for at in range(0, len(row), 2)]
    return row[0]


def whole_subtrees(size: int) -> Iterator[tuple[int, int]]:
    """Yield the names of the whole subtrees that make up a tree, from the left."""
    start = 0
    for level in reversed(range(size.bit_length())):
        if size >> level & 1:
            yield level, start >> level
            start += 1 << level


def tree_root(size: int, node: Callable[[int, int], bytes]) -> bytes:
    """Return the root of a tree of this size, from its nodes."""
    peaks = [node(level, index) for level, index in whole_subtrees(size)]
    if not peaks:
        return hashlib.sha256(b"").digest()
    root = peaks[-1]
    for peak in reversed(peaks[:-1]):
        root = node_hash(peak, root)
    return root


def width_at(level: int, number: int, size: int) -> int:
    """Return how many hashes a tile has in a tree of this size; 0 when there is no such tile."""
    return max(0, min(WIDTH, (size >> (8 * level)) - number * WIDTH))


class Placed(NamedTuple):
    """Where a tile lies in the file."""

    offset: int
    length: int
    width: int


class Absent(Exception):
    """A tile that a proof needs is not in the file; names it."""


class Tree:
    """The tiles of one epoch's tree, read from the file when they are asked for."""

    def __init__(self, size: int, tiles: dict[tuple[int, int], Placed]) -> None:
        self.size = size
        self.tiles = tiles
        self._kept: OrderedDict[tuple[int, int], bytes] = OrderedDict()

    def tile(self, file: BinaryIO, level: int, number: int) -> bytes:
        """Return a tile's hashes, joined."""
        name = level, number
        kept = self._kept.get(name)
        if kept is None:
            placed = self.tiles.get(name)
            if placed is None:
                raise Absent(f"tile/{level}/{number} is not in the file")
            file.seek(placed.offset)
            kept = binascii.a2b_base64(file.read(placed.length).split(b'"', 8)[7])
            self._kept[name] = kept
            if len(self._kept) > 64:
                self._kept.popitem(last=False)
        return kept

    def node(self, file: BinaryIO, level: int, index: int) -> bytes:
        """Return the hash over the whole subtree (level, index)."""
        tile_level, above = divmod(level, 8)
        number, offset = divmod(index << above, WIDTH)
        count = 1 << above
        hashes = self.tile(file, tile_level, number)[offset * 32 : (offset + count) * 32]
        if len(hashes) != count * 32:
            raise Absent(f"tile/{tile_level}/{number} is too narrow")
        return subtree_root(hashes)

    def root_at(self, file: BinaryIO, size: int) -> bytes:
        """Return the root that the tree had at a size it has passed."""
        return tree_root(size, lambda level, index: self.node(file, level, index))

    def wrong_tiles(self, file: BinaryIO, names: Iterable[tuple[int, int]]) -> list[Any]:
        """Return the whole tiles whose root is not what the tile above says of them."""
        wrong = []
        for level, number in names:
            if self.tiles[level, number].width < WIDTH:
                continue  # its hashes are whole subtrees at the right edge: the root shows them
            try:
                above = self.tile(file, level + 1, number // WIDTH)
            except Absent:
                wrong.append((level, number, "the tile above it is not in the file"))
                continue
            at = number % WIDTH * 32
            if subtree_root(self.tile(file, level, number)) != above[at : at + 32]:
                wrong.append((level, number, "its root is not what the tile above says"))
        return wrong


# --- findings


class Place(NamedTuple):
    """Which entry: as far as it is known."""

    epoch: int | None = None
    index: int | None = None  # type: ignore[assignment]  # a tuple's method of that name is not used
    id: str = ""
    stream: str = ""
    writer: str = ""
    seq: int = 0


NOWHERE = Place()


class Finding(NamedTuple):
    """One thing that is wrong. With ``until``, it lies at one of the indexes before that."""

    wrong: str
    place: Place = NOWHERE
    until: int | None = None
    ordinal: int = 0

    @property
    def order(self) -> tuple[int, int, int]:
        """Where it comes among others: sequenced entries by their index, then the rest."""
        place = self.place
        if place.epoch is None or place.index is None:
            return 2**31, 0, self.ordinal
        return place.epoch, place.index, self.ordinal

    def holds(self, other: Finding) -> bool:
        """Say whether the other is a more exact word on the same range."""
        mine, its = self.place, other.place
        return (
            self.until is not None
            and other.until is None
            and mine.epoch == its.epoch
            and mine.index is not None
            and its.index is not None
            and mine.index <= its.index < self.until
        )

    def document(self) -> dict[str, Any]:
        """Return it for `--json`."""
        return {**self.place._asdict(), "until": self.until, "wrong": self.wrong}

    def __str__(self) -> str:
        place = self.place
        where = []
        if place.index is not None and self.until is not None and self.until > place.index + 1:
            where.append(f"epoch {place.epoch}, an index from {place.index} to {self.until - 1}")
        elif place.index is not None:
            where.append(f"epoch {place.epoch}, index {place.index}")
        if place.id:
            where.append(f"entry {place.id}")
        if place.stream:
            where.append(f"stream {place.stream}, writer {place.writer}, seq {place.seq}")
        return f"{'; '.join(where) or 'the file'}: {self.wrong}"


class Findings:
    """What was found, the first hundred of it, in the order of the entries."""

    def __init__(self) -> None:
        self.bad = 0
        self.kept: list[Finding] = []

    def add(
        self, wrong: str, place: Place = NOWHERE, *, until: int | None = None, ordinal: int = 0
    ) -> None:
        """Note one finding."""
        self.extend([Finding(wrong, place, until, ordinal)])

    def extend(self, found: Iterable[Finding], beyond: int = 0) -> None:
        """Note several, and how many more there were."""
        for finding in found:
            self.bad += 1
            self.kept.append(finding)
        self.bad += beyond
        if len(self.kept) > 2 * FINDINGS_KEPT:
            self.kept = self.ordered()[:FINDINGS_KEPT]

    def ordered(self) -> list[Finding]:
        """Return them in order; an exact one before the range it makes exact."""
        rest = sorted(self.kept, key=lambda finding: finding.order)
        ordered: list[Finding] = []
        while rest:
            first = rest[0]
            exact = next((finding for finding in rest if first.holds(finding)), first)
            rest.remove(exact)
            ordered.append(exact)
        return ordered


# --- headers: closed in shape, canonical in their bytes


_REQUIRED = {
    "actor": str, "facts": dict, "id": str, "kind": str, "prev": str, "recorded_at": str,
    "seq": int, "stream": str, "subject": str, "v": int, "verb": str, "writer": str,
}  # fmt: skip
_OPTIONAL = {"agent": str, "intent": str, "on_behalf_of": str, "payload": dict}
_PAYLOAD = {"ciphertext_sha256": str, "commitment": str, "dek": str, "size": int}
_PLAIN = frozenset({str, int, bool, type(None)})
_HASH = re.compile(r"[0-9a-f]{64}")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


def _shapes() -> dict[tuple[str, ...], tuple[type, ...]]:
    """Return every order of names that a header may have, with the types of their values."""
    found = {}
    for chosen in range(1 << len(_OPTIONAL)):
        some = [name for at, name in enumerate(_OPTIONAL) if chosen >> at & 1]
        shape = {**_REQUIRED, **{name: _OPTIONAL[name] for name in some}}
        names = tuple(sorted(shape))
        found[names] = tuple(shape[name] for name in names)
    return found


_SHAPES = _shapes()


def read_header(raw: bytes) -> dict[str, Any]:
    """Read one header the careful way; says exactly what is wrong with it."""
    if len(raw) > 65535:
        raise Malformed("its header has more than 65535 bytes")
    try:
        header = read_canonical(raw)
    except Malformed as error:
        raise Malformed(f"its header {error}") from None
    check_header(header)
    return dict(header)


def check_header(header: Any) -> None:
    """See that a document is a header."""
    if type(header) is not dict:
        raise Malformed("its header is not an object")
    types = _SHAPES.get(tuple(header))
    if types is None:
        raise Malformed("its header has an unknown member, or lacks one")
    if tuple(map(type, header.values())) != types:
        raise Malformed("a member of its header has the wrong type")
    if header["v"] != 1 or not 1 <= header["seq"] <= LARGEST:
        raise Malformed("its header has another version, or a seq out of range")
    if not _HASH.fullmatch(header["prev"]):
        raise Malformed("its header's prev is not a hash")
    if header["kind"] not in KINDS:
        raise Malformed("its header's kind is unknown")
    if header["kind"] == "result" and not header.get("intent"):
        raise Malformed("it is a result and names no intent")
    _check_rest(header)


def _check_rest(header: dict[str, Any]) -> None:
    if not _is_moment(header["recorded_at"]):
        raise Malformed("its header's recorded_at is not a moment in UTC with microseconds")
    facts = header["facts"]
    types = set(map(type, facts.values()))
    if not types <= _PLAIN:
        _check_lists(facts, types)
    if int in types:
        for value in facts.values():
            if type(value) is int and not -LARGEST <= value <= LARGEST:
                raise Malformed("a fact is a number out of range")
    if "payload" in header:
        _check_payload(header["payload"])


def _check_lists(facts: dict[str, Any], types: set[type]) -> None:
    texts = all(
        type(item) is str for value in facts.values() if type(value) is list for item in value
    )
    if types - _PLAIN != {list} or not texts:
        raise Malformed("a fact is not a text, a number, a truth value, null or a list of texts")


def _check_payload(payload: dict[str, Any]) -> None:
    if {name: type(value) for name, value in payload.items()} != _PAYLOAD:
        raise Malformed("its header's payload has the wrong shape")
    if not (
        _HASH.fullmatch(payload["ciphertext_sha256"]) and _HASH.fullmatch(payload["commitment"])
    ):
        raise Malformed("its header's payload has a digest that is none")
    if not 0 <= payload["size"] <= LARGEST:
        raise Malformed("its header's payload has a size that is none")


def _is_sorted(header: dict[str, Any]) -> bool:
    """Say whether the names within are in order; those of the header itself were looked at."""
    facts = list(header["facts"])
    if facts != sorted(facts):
        return False
    payload = header.get("payload")
    return payload is None or list(payload) == list(_PAYLOAD)


def read_headers(raws: Sequence[bytes]) -> list[dict[str, Any]] | None:
    """Read many headers at once; None when one of them needs the careful way.

    They are read as one array with a newline between two: no header has a newline, and none
    holds an object within an array, so that a border between two cannot be anything else.
    """
    joined = b",\n".join(raws)
    if joined.count(b"\n") != len(raws) - 1 or any(
        raw[:2] != b'{"' or raw[-1:] != b"}" or len(raw) > 65535 for raw in raws
    ):
        return None
    try:
        text = joined.decode("utf-8")
        headers = _BULK.decode(f"[{text}]")
        if len(headers) != len(raws) or _SPELL_AS_IS(headers) != f"[{text}]".replace("\n", ""):
            return None
        for header in headers:
            check_header(header)
    except (Malformed, ValueError, RecursionError, TypeError):
        return None
    is_plain = text.isascii()  # names beyond ASCII have an order of their own
    if not all(
        _is_sorted(header) and (is_plain or "".join(header["facts"]).isascii())
        for header in headers
    ):
        return None
    return list(headers)


# --- one block of entries: what needs no memory of the others


class Link(NamedTuple):
    """Entries of one chain, each of which follows the one before it."""

    first: Place
    last: Place
    prev: str
    leaf: str
    length: int


class Block:
    """What one block of lines held; merged in the order of the file."""

    def __init__(self) -> None:
        self.lines = 0
        self.entries = 0
        self.payloads = 0
        self.absent = 0
        self.loose = 0  # entries that lie in no tree
        self.unwitnessed = 0
        self.first: Place | None = None
        self.last: Place | None = None
        self.first_at: tuple[int, Place] | None = None  # of a period: how manieth it is there
        self.next_at = 0
        self.links: list[Link] = []
        self.opened: dict[tuple[str, str], Place] = {}
        self.answers: dict[tuple[str, str], Place] = {}
        self.keys: dict[str, Place] = {}
        self.without: dict[str, Place] = {}  # data key: the first payload of it that is absent
        self.epochs: set[int] = set()
        self.named: dict[tuple[str, str], Place] = {}  # kind and digest of an artifact
        self.tombstones: dict[str, list[Place]] = {}  # data key: who says it was shredded
        self.openings: list[tuple[Place, dict[str, Any]]] = []
        self.fresh: dict[int, int] = {}
        self.stale: list[Place] = []
        self.oldest = ""
        self.found: list[Finding] = []
        self.beyond = 0

    def note(self, wrong: str, place: Place, number: int, *, until: int | None = None) -> None:
        """Note what is wrong with one entry, on a line of this block."""
        if len(self.found) < FINDINGS_KEPT:
            self.found.append(Finding(wrong, place, until, number))
        else:
            self.beyond += 1


class Bounds(NamedTuple):
    """When the entries below a size were recorded at the latest, and those from it on at the earliest."""  # noqa: E501

    size: int
    latest: str
    earliest: str


class Ranges:
    """What a period says it holds: its entries are counted through, from 0 on."""

    def __init__(self, of_epochs: dict[int, tuple[int, int]]) -> None:
        self.of_epochs = of_epochs
        self._begins: dict[int, int] = {}
        self.total = 0
        for epoch, (start, end) in of_epochs.items():
            self._begins[epoch] = self.total
            self.total += end - start

    def at(self, place: Place) -> int | None:
        """Return how manieth of the period's entries lies here; None when none does."""
        if place.epoch is None or place.index is None:
            return None
        start, end = self.of_epochs.get(place.epoch, (0, 0))
        if not start <= place.index < end:
            return None
        return self._begins[place.epoch] + place.index - start

    def between(self, due: int, at: int, place: Place, number: int) -> Iterator[Finding]:
        """Yield what is wrong where one entry was due and another came."""
        if at > due:
            yield from self.missing(due, at, number)
        elif at < due:
            wrong = "it does not follow the entry before it in the file: by epoch and index"
            yield Finding(wrong, place, None, number)

    def missing(self, due: int, until: int, number: int) -> Iterator[Finding]:
        """Yield a finding for each stretch that is not in the file."""
        wrong = "the entry that the tree has at this index is not in the file"
        for epoch, (start, end) in self.of_epochs.items():
            begins = self._begins[epoch]
            first = max(due, begins) - begins + start
            stop = min(until - begins + start, end)
            if first < stop:
                until_ = stop if stop > first + 1 else None
                yield Finding(wrong, Place(epoch, first), until_, number)


class Layout(NamedTuple):
    """What a worker must know of the file besides its block."""

    path: str
    scope: Scope
    trees: dict[int, Tree]
    bounds: dict[int, list[Bounds]]
    witnessed: dict[int, int]
    opened_at: dict[int, str]
    is_cut: bool


_ENTRY_PARTS = [b"{", b"entry", b":{", b"epoch"]
_PAYLOAD_PARTS = [b"payload", b":{", b"ciphertext", b":"]
_EPOCH = re.compile(rb":(null|[1-9][0-9]{0,8}),")
_INDEX = re.compile(rb":(null|0|[1-9][0-9]{0,18})(?:\}\}|,)")


class Read(NamedTuple):
    """One entry's line, taken apart."""

    epoch: int | None
    at: int | None
    header: bytes
    payload: bytes | None  # nonce and ciphertext, joined


def read_entry(line: bytes) -> Read:
    """Take an entry's line apart; its form leaves no choice, so its parts are where they are."""
    parts = line.split(b'"')
    with_payload = len(parts) == 21
    if parts[:4] != _ENTRY_PARTS or not (with_payload or len(parts) == 11):
        raise Malformed("is not an entry in canonical form")
    epoch, index = _EPOCH.fullmatch(parts[4]), _INDEX.fullmatch(parts[10])
    if (
        epoch is None
        or index is None
        or parts[5:10:2] != [b"header", parts[7], b"index"]
        or (parts[6], parts[8]) != (b":", b",")
        or parts[10].endswith(b",") != with_payload
        or (epoch[1] == b"null") != (index[1] == b"null")
    ):
        raise Malformed("is not an entry in canonical form")
    payload = None
    if with_payload:
        if parts[11:15] != _PAYLOAD_PARTS or parts[16:19] != [b",", b"nonce", b":"]:
            raise Malformed("is not an entry in canonical form")
        if parts[20] != b"}}}":
            raise Malformed("is not an entry in canonical form")
        payload = _unbase64(parts[19], "its nonce", 12) + _unbase64(parts[15], "its ciphertext")
    header = _unbase64(parts[7], "its header")
    if epoch[1] == b"null":
        return Read(None, None, header, payload)
    return Read(int(epoch[1]), int(index[1]), header, payload)


class BlockCheck:
    """Checks the lines of one block."""

    def __init__(self, layout: Layout, file: BinaryIO) -> None:
        self.layout = layout
        self.file = file
        self.block = Block()
        self._ends: dict[tuple[str, str], int] = {}
        self._bound: tuple[int, int, str, str] | None = None

    def run(self, lines: list[bytes]) -> Block:
        """Check them all."""
        for at in range(0, len(lines), 256):
            self._some(lines[at : at + 256])
        return self.block

    def _some(self, lines: list[bytes]) -> None:
        entries, numbers = [], []
        for number, line in enumerate(lines):
            try:
                entries.append(read_entry(line))
                numbers.append(number)
            except Malformed as error:
                self._number = self.block.lines + number
                self._note(f"line {LINE} {error}", Place())
        headers = read_headers([entry.header for entry in entries]) if entries else []
        for at, entry in enumerate(entries):
            self._number = self.block.lines + numbers[at]
            try:
                header = headers[at] if headers is not None else read_header(entry.header)
            except Malformed as error:
                self._unreadable(entry, str(error))
                continue
            self._entry(entry, header)
        self.block.lines += len(lines)

    def _unreadable(self, entry: Read, wrong: str) -> None:
        place = Place(entry.epoch, entry.at)
        self.block.entries += 1
        self._in_order(place)
        leaf = hashlib.sha256(b"\0" + entry.header).digest()
        self._in_tree(place, leaf)
        self._note(wrong, place)

    def _entry(self, entry: Read, header: dict[str, Any]) -> None:
        block = self.block
        place = Place(
            entry.epoch,
            entry.at,
            header["id"],
            header["stream"],
            header["writer"],
            header["seq"],
        )
        block.entries += 1
        self._in_order(place)
        if self.layout.scope.ranges is None:
            self._in_scope(place, header)
        leaf = hashlib.sha256(b"\0" + entry.header).digest()
        if self._in_tree(place, leaf) and self.layout.bounds:
            self._in_time(place, header["recorded_at"])
        self._linked(place, header["prev"], leaf.hex())
        kind = header["kind"]
        if kind == "intent":
            self._intent(place)
        elif kind == "result":
            self._result(place, header["intent"])
        self._payload(place, header.get("payload"), entry.payload)
        facts = header["facts"]
        for fact, artifact in NAMED.items():
            digest = facts.get(fact)
            if type(digest) is str and _DIGEST.fullmatch(digest):
                block.named.setdefault((artifact, digest), place)
        if kind == "change" and place.epoch is not None:
            self._change(place, header["verb"], facts)

    def _in_order(self, place: Place) -> None:
        block, last, ranges = self.block, self.block.last, self.layout.scope.ranges
        if ranges is None:
            if last is None:
                block.first = place
            elif not (
                last.stream == place.stream and last.writer == place.writer and last.seq < place.seq
            ):
                block.found.extend(out_of_order(last, place, self._number))
            block.last = place
            return
        at = ranges.at(place)
        if at is None:  # what was due is still due
            self._note(_OUTSIDE if place.epoch else _NO_PLACE, place)
            return
        if block.first_at is None:
            block.first_at = at, place
        elif at != block.next_at:
            block.found.extend(ranges.between(block.next_at, at, place, self._number))
        block.next_at = at + 1

    def _in_scope(self, place: Place, header: dict[str, Any]) -> None:
        scope = self.layout.scope
        if scope.kind == "run":
            belongs = place.stream == scope.name
        else:
            belongs = header.get("agent") == scope.name or place.stream == f"agent:{scope.name}"
        if not belongs:
            self._note(f"it is not of the {scope.kind} that the file says it holds", place)

    def _in_tree(self, place: Place, leaf: bytes) -> bool:
        epoch, index = place.epoch, place.index
        if epoch is None or index is None:
            self.block.loose += 1
            return False
        self.block.epochs.add(epoch)
        if index >= self.layout.witnessed.get(epoch, 0):
            self.block.unwitnessed += 1  # counted, whatever else is wrong with it
        tree = self.layout.trees.get(epoch)
        if self.layout.is_cut:
            return False
        if tree is None or index >= tree.size:
            self._note("it claims a place beyond every checkpoint in the file", place)
            return False
        try:
            tile = tree.tile(self.file, 0, index // WIDTH)
        except Absent as error:
            self._note(f"it cannot be led to the root: {error}", place)
            return False
        at = index % WIDTH * 32
        if tile[at : at + 32] != leaf:
            self._note("its leaf hash is not the one in the tree", place)
        return True

    def _in_time(self, place: Place, recorded_at: str) -> None:
        epoch, index = place.epoch, place.index
        if epoch is None or index is None:
            return
        bound = self._bound
        if bound is None or bound[0] != epoch or not self._from <= index < bound[1]:
            bound = self._bounds(epoch, index)
        if recorded_at > bound[2]:
            self._note(
                f"it says {recorded_at}, later than the witness saw it: forward-dated", place
            )
        opened = self.layout.opened_at.get(epoch, "")
        if recorded_at >= bound[3]:
            if recorded_at > opened and epoch not in self.block.fresh:
                self.block.fresh[epoch] = index
        elif recorded_at < opened:
            # What lay there when the epoch began came first in it, however old.
            if len(self.block.stale) < FINDINGS_KEPT or epoch in self.block.fresh:
                self.block.stale.append(place)
                del self.block.stale[FINDINGS_KEPT:]
        else:
            self._note(f"it says {recorded_at}, long before its place: backdated", place)

    def _bounds(self, epoch: int, index: int) -> tuple[int, int, str, str]:
        self._from, until, latest, earliest = 0, MAX_SIZE, "~", ""
        for bounds in self.layout.bounds.get(epoch, ()):
            if bounds.size <= index:
                self._from, earliest = bounds.size, bounds.earliest
            else:
                until, latest = bounds.size, bounds.latest
                break
        self._bound = epoch, until, latest, earliest
        return self._bound

    _from = 0
    _number = 0

    def _note(self, wrong: str, place: Place, *, until: int | None = None) -> None:
        self.block.note(wrong, place, self._number, until=until)

    def _linked(self, place: Place, prev: str, leaf: str) -> None:
        links = self.block.links
        chain = place.stream, place.writer
        at = self._ends.get(chain)
        if at is not None:
            link = links[at]
            if place.seq == link.last.seq + 1 and prev == link.leaf:
                links[at] = Link(link.first, place, link.prev, leaf, link.length + 1)
                return
        self._ends[chain] = len(links)
        links.append(Link(place, place, prev, leaf, 1))

    def _intent(self, place: Place) -> None:
        name = place.stream, place.id
        if self.block.answers.pop(name, None) is None:
            self.block.opened[name] = place

    def _result(self, place: Place, intent: str) -> None:
        name = place.stream, intent
        if self.block.opened.pop(name, None) is None:
            if name in self.block.answers:
                self._note("it answers an intent that another entry answers", place)
            else:
                self.block.answers[name] = place

    def _payload(self, place: Place, said: Any, stored: bytes | None) -> None:
        block = self.block
        if said is None:
            if stored is not None:
                self._note("a payload lies beside it, and it names none", place)
            return
        block.keys.setdefault(said["dek"], place)
        if stored is None:
            block.absent += 1
            block.without.setdefault(said["dek"], place)
            return
        block.payloads += 1
        if hashlib.sha256(stored).hexdigest() != said["ciphertext_sha256"]:
            self._note("its payload's ciphertext has another digest", place)

    def _change(self, place: Place, verb: str, facts: dict[str, Any]) -> None:
        if verb == TOMBSTONE:
            named = facts.get("deks")
            for dek in named if type(named) is list else ():
                self.block.tombstones.setdefault(dek, []).append(place)
        elif verb == "epoch.opened":
            self.block.openings.append((place, facts))


_NO_PLACE = "it lies in no tree, and a period holds only what has its place in one"
_OUTSIDE = "it lies outside of what the file says it holds"


def out_of_order(before: Place, place: Place, number: int) -> Iterator[Finding]:
    """Yield what is wrong with two entries of a run or an agent, one after the other."""
    here, there = _chain_order(place), _chain_order(before)
    if place.stream and before.stream and there >= here:
        wrong = "it does not follow the entry before it in the file: by stream, writer, seq"
        yield Finding(wrong, place, None, number)


def _chain_order(place: Place) -> tuple[bytes, bytes, int]:
    stream = place.stream.encode("utf-8", "surrogatepass")
    return stream, place.writer.encode("utf-8", "surrogatepass"), place.seq


_layout: Layout
_file: BinaryIO


def _begin_worker(layout: Layout) -> None:
    global _layout, _file  # noqa: PLW0603  a worker has one file, for its whole life
    _layout = layout
    _file = open(layout.path, "rb")  # noqa: SIM115


def _check_part(task: tuple[str, Any]) -> Any:
    kind, what = task
    if kind == "tiles":
        epoch, names = what
        return epoch, _layout.trees[epoch].wrong_tiles(_file, names)
    start, end = what
    _file.seek(start)
    lines = _file.read(end - start).split(b"\n")[:-1]
    return BlockCheck(_layout, _file).run(lines)


# --- chains over blocks


class Chain:
    """One chain, as its entries come; what comes early waits for what it follows."""

    __slots__ = ("broken", "current", "since_break", "waiting")

    def __init__(self) -> None:
        self.current: Link | None = None
        self.waiting: list[Link] = []
        self.broken: tuple[Place, Place] | None = None
        self.since_break = 0


class Chains:
    """All chains of the file."""

    def __init__(self, findings: Findings, is_whole: Callable[[str], bool]) -> None:
        self.findings = findings
        self._is_whole = is_whole
        self._of: dict[tuple[str, str], Chain] = {}
        self._doubtful: list[tuple[Place, Place]] = []

    def __len__(self) -> int:
        return len(self._of)

    def add(self, link: Link) -> None:
        """Take the next entries of a chain."""
        name = link.first.stream, link.first.writer
        chain = self._of.get(name)
        if chain is None:
            chain = self._of[name] = Chain()
        self._place(chain, link, self._is_whole(link.first.stream))
        while chain.current is not None and chain.waiting:
            due = chain.current.last.seq + 1
            follower = next((link for link in chain.waiting if link.first.seq == due), None)
            if follower is None:
                return
            chain.waiting.remove(follower)
            self._join(chain, chain.current, follower)

    def _place(self, chain: Chain, link: Link, whole: bool) -> None:  # noqa: FBT001
        current = chain.current
        due = 1 if current is None else current.last.seq + 1
        if link.first.seq == due and current is not None:
            self._join(chain, current, link)
        elif link.first.seq > due and (whole or chain.waiting):
            _wait(chain.waiting, link)
        elif current is None or link.first.seq > due:
            self._begin(chain, link)
        elif whole:
            self.findings.add("its chain has another entry with its seq", link.first)

    def _begin(self, chain: Chain, link: Link) -> None:
        self._settle(chain, is_over=True)
        if link.first.seq == 1 and link.prev != "0" * 64:
            self.findings.add("it begins a chain, and names an entry before it", link.first)
        chain.current, chain.since_break = link, link.length

    def _join(self, chain: Chain, current: Link, link: Link) -> None:
        if link.prev != current.leaf:
            self._settle(chain, is_over=False)
            chain.broken, chain.since_break = (current.last, link.first), 0
        chain.since_break += link.length
        count = current.length + link.length
        chain.current = Link(current.first, link.last, current.prev, link.leaf, count)

    def _settle(self, chain: Chain, *, is_over: bool) -> None:
        """Say which of two entries was altered, where the one after them tells."""
        if chain.broken is None:
            return
        before, after = chain.broken
        chain.broken = None
        if chain.since_break > 1:
            self.findings.add(_ALTERED, before)
        elif is_over:
            self._doubtful.append((before, after))
        else:
            self.findings.add(_MISFITS, after)

    def end(self, proven: dict[int, int]) -> None:
        """Take it that nothing more comes."""
        for chain in self._of.values():
            for link in sorted(chain.waiting, key=lambda link: link.first.seq):
                last = chain.current.last.seq if chain.current else 0
                if link.first.seq <= last:
                    self.findings.add("its chain has another entry with its seq", link.first)
                elif link.first.seq == last + 1 and chain.current is not None:
                    self._join(chain, chain.current, link)
                else:
                    self.findings.add(
                        f"its chain goes on after seq {last} with seq {link.first.seq}:"
                        " entries between are missing",
                        link.first,
                    )
                    self._begin(chain, link)
            self._settle(chain, is_over=True)
        for before, after in self._doubtful:
            size = proven.get(before.epoch or 0, 0)
            is_proven = before.index is not None and before.index < size
            if is_proven and not (after.index is not None and after.index < size):
                self.findings.add(_MISFITS, after)
            else:
                self.findings.add(f"{_ALTERED} (or that one was altered)", before)


_MISFITS = "its prev is not the leaf hash of the entry before it in its chain"
_ALTERED = "its leaf hash is not what the entry after it in its chain says"


def _wait(waiting: list[Link], link: Link) -> None:
    if waiting:
        last = waiting[-1]
        if link.first.seq == last.last.seq + 1 and link.prev == last.leaf:
            count = last.length + link.length
            waiting[-1] = Link(last.first, link.last, last.prev, link.leaf, count)
            return
    waiting.append(link)


# --- the head and the tail of the file


class Key(NamedTuple):
    """A public key that the reader trusts; with a name, it counts under that name only."""

    name: str | None
    public: bytes


def parse_key(text: str) -> Key:
    """Read a key: base64, a vkey, or a file that holds one."""
    if os.path.isfile(text):
        with open(text, encoding="utf-8") as file:
            text = file.read(4096)
    text = text.strip()
    if "+" in text and text.count("+") >= 2 and len(text) > 60:
        name, stated, encoded = text.split("+", 2)
        raw = _unbase64(encoded, "a key", 33)
        named = hashlib.sha256(name.encode() + b"\n" + raw).hexdigest()[:8]
        if named != stated or raw[0] not in (1, 4):
            raise Malformed("the hash in a key is not the hash of the key, or its type is unknown")
        return Key(name, raw[1:])
    return Key(None, _unbase64(text, "a key", 32))


class Trust(NamedTuple):
    """What the reader brings along: keys from elsewhere, and how much they ask for."""

    keys: tuple[Key, ...] = ()
    witnesses: tuple[Key, ...] = ()
    quorum: int = 0
    export_keys: tuple[Key, ...] = ()
    since: tuple[bytes, ...] = ()
    early_seconds: int = EARLY_SECONDS
    late_seconds: int = LATE_SECONDS


class Epoch(NamedTuple):
    """One line of the second kind."""

    number: int
    origin: str
    public: bytes
    opened_at: str
    reason: str


class Checkpoint(NamedTuple):
    """A checkpoint of the file: what of it holds."""

    head: Head
    is_signed: bool
    cosigned: dict[bytes, int]  # witness: when
    names: tuple[str, ...]


class Tail:
    """Everything after the entries."""

    def __init__(self) -> None:
        self.tiles: dict[int, dict[tuple[int, int], Placed]] = {}
        self.keys: dict[str, tuple[str, str | None]] = {}
        self.artifacts: dict[tuple[str, str], bool] = {}
        self.bare: set[tuple[str, str]] = set()  # without bytes
        self.notes: list[tuple[int, bytes]] = []
        self.end: dict[str, Any] | None = None
        self.end_at = 0
        self.signature: bytes | None = None
        self.signature_at = 0
        self.counts = {"artifacts": 0, "checkpoints": 0, "keys": 0, "tiles": 0}
        self._last: tuple[int, tuple[Any, ...]] = (0, ())

    _ORDER = ("tile", "key", "artifact", "checkpoint", "end", "signature")

    def take(self, raw: bytes, offset: int) -> None:
        """Read one line."""
        document = read_canonical(raw)
        if not isinstance(document, dict) or len(document) != 1:
            raise Malformed("does not have exactly one member")
        [(name, value)] = document.items()
        if name not in self._ORDER:
            raise Malformed("is of a kind that does not belong there")
        order = getattr(self, f"_{name}")(value, offset, len(raw))
        place = self._ORDER.index(name), order
        if place <= self._last:
            raise Malformed("does not follow the line before it: lines come by kind, each once")
        self._last = place

    def _tile(self, value: Any, offset: int, length: int) -> tuple[Any, ...]:
        tile = _members(value, "epoch hashes level number width", "a tile")
        level, number = _count(tile["level"], "level", 7), _count(tile["number"], "number")
        width, epoch = _count(tile["width"], "width", WIDTH), _count(tile["epoch"], "epoch")
        _unbase64(tile["hashes"], "hashes", width * 32)
        self.tiles.setdefault(epoch, {})[level, number] = Placed(offset, length, width)
        self.counts["tiles"] += 1
        return epoch, level, number

    def _key(self, value: Any, *_: int) -> tuple[Any, ...]:
        key = _members(value, "dek shredded_by state", "a data key")
        dek, by = _text(key["dek"], "dek"), key["shredded_by"]
        if by is not None:
            _text(by, "shredded_by")
        if key["state"] not in ("active", "shredded", "missing"):
            raise Malformed("has a state that is none")
        self.keys[dek] = key["state"], by
        self.counts["keys"] += 1
        return (dek.encode(),)

    def _artifact(self, value: Any, *_: int) -> tuple[Any, ...]:
        has_bytes = isinstance(value, dict) and "bytes" in value
        names = "bytes digest kind" if has_bytes else "digest kind"
        artifact = _members(value, names, "an artifact")
        kind, digest = _text(artifact["kind"], "kind"), _text(artifact["digest"], "digest")
        self.counts["artifacts"] += 1
        holds = True
        if has_bytes:
            raw = _unbase64(artifact["bytes"], "bytes")
            holds = f"sha256:{hashlib.sha256(raw).hexdigest()}" == digest
        else:
            self.bare.add((kind, digest))
        self.artifacts[kind, digest] = holds
        return kind.encode(), digest.encode()

    def _checkpoint(self, value: Any, *_: int) -> tuple[Any, ...]:
        checkpoint = _members(value, "epoch note", "a checkpoint")
        epoch = _count(checkpoint["epoch"], "epoch")
        note = _text(checkpoint["note"], "note").encode("utf-8", "replace")
        self.counts["checkpoints"] += 1
        self.notes.append((epoch, note))
        return epoch, parse_checkpoint(parse_note(note).text).size

    def _end(self, value: Any, offset: int, _: int) -> tuple[Any, ...]:
        names = "artifacts chains checkpoints entries epochs keys payloads sha256 tiles"
        self.end, self.end_at = _members(value, names, "the end"), offset
        return ()

    def _signature(self, value: Any, offset: int, _: int) -> tuple[Any, ...]:
        self.signature = _text(value, "the signature").encode("utf-8", "replace")
        self.signature_at = offset
        return ()


class Scope(NamedTuple):
    """What the file says it holds."""

    kind: str
    name: str
    ranges: Ranges | None
    from_: str | None = None
    to: str | None = None


def read_scope(document: Any) -> Scope:
    """Read the first line's scope."""
    if not isinstance(document, dict) or len(document) != 1:
        raise Malformed("the scope is none")
    [(kind, value)] = document.items()
    if kind in ("run", "agent"):
        return Scope(kind, _text(value, kind), None)
    if kind != "period":
        raise Malformed("the scope is of an unknown kind")
    period = _members(value, "from ranges to", "the period")
    for moment in (period["from"], period["to"]):
        if moment is not None and not _is_moment(moment):
            raise Malformed("the period begins or ends at no moment")
    return Scope(kind, "", _read_ranges(period["ranges"]), period["from"], period["to"])


def _read_ranges(listed: Any) -> Ranges:
    ranges: dict[int, tuple[int, int]] = {}
    if not isinstance(listed, list):
        raise Malformed("the period has no ranges")
    for item in listed:
        named = _members(item, "end epoch start", "a range")
        epoch = _count(named["epoch"], "epoch")
        start, end = _count(named["start"], "start"), _count(named["end"], "end")
        if start > end or (ranges and epoch <= max(ranges)):
            raise Malformed("the ranges are not in order")
        ranges[epoch] = start, end
    return Ranges(ranges)


# --- the whole


class Report:
    """What was found, and what was looked at."""

    def __init__(self) -> None:
        self.findings = Findings()
        self.incomplete: list[str] = []
        self.diverged: list[str] = []
        self.notes: list[str] = []
        self.scope: Any = None
        self.exported_at = ""
        self.entries = self.chains = self.payloads = self.absent = self.open_intents = 0
        self.loose = self.unwitnessed = 0
        self.epochs: list[dict[str, Any]] = []
        self.export_signature = "not checked"
        self.keys = self.bare = 0
        self.proves = ""
        self.unproven: list[str] = []
        self.seconds = 0.0

    @property
    def code(self) -> int:
        """Return the exit code."""
        if self.diverged:
            return DIVERGED
        if self.findings.bad:
            return INVALID
        return INCOMPLETE if self.incomplete else VALID

    def document(self) -> dict[str, Any]:
        """Return it for `--json`."""
        ordered = self.findings.ordered()
        return {
            "verdict": WORDS[self.code],
            "first": ordered[0].document() if ordered else None,
            "findings": [finding.document() for finding in ordered[:FINDINGS_KEPT]],
            "bad": self.findings.bad,
            "diverged": self.diverged,
            "incomplete": self.incomplete,
            "notes": self.notes,
            "scope": self.scope,
            "exported_at": self.exported_at,
            "entries": self.entries,
            "chains": self.chains,
            "payloads": self.payloads,
            "absent": self.absent,
            "open_intents": self.open_intents,
            "unsequenced": self.loose,
            "unwitnessed": self.unwitnessed,
            "epochs": self.epochs,
            "export_signature": self.export_signature,
            "proves": self.proves,
            "does_not_prove": self.unproven,
            "seconds": round(self.seconds, 3),
        }


Progress = Callable[[int], None]


class Verification:
    """One pass over one file."""

    def __init__(self, path: str, trust: Trust, processes: int, progress: Progress) -> None:
        self.path = path
        self.trust = trust
        self.processes = processes
        self.progress = progress
        self.report = Report()
        self.findings = self.report.findings
        self.epochs: dict[int, Epoch] = {}
        self.checkpoints: dict[int, list[Checkpoint]] = {}
        self.trees: dict[int, Tree] = {}
        self.proven: dict[int, int] = {}
        self.witnessed: dict[int, int] = {}
        self.tail = Tail()
        self.scope = Scope("", "", None)
        self.openings: list[tuple[Place, dict[str, Any]]] = []
        self.held: set[int] = set()  # epochs in which an entry of the file lies
        self.with_payloads = False
        self.is_cut = False

    def run(self, file: BinaryIO) -> Report:
        """Check the file."""
        started = time.monotonic()
        try:
            start = self._head(file)
        except Malformed as error:
            self.report.incomplete.append(
                f"the file is not an export of the form {FORMAT}: {error}"
            )
            return self.report
        except (Cut, EOFError):
            self.report.incomplete.append("the file was cut off before its first entry")
            return self.report
        end = self._read_tail(file, start)
        if not self.is_cut:  # what is left of a tree proves nothing
            self._read_checkpoints(file)
        hashing = Hashing(self.path, self.tail)
        self._entries(file, start, end, hashing)
        hashing.join()
        self._finish(hashing)
        self.report.seconds = time.monotonic() - started
        return self.report

    # the head

    def _head(self, file: BinaryIO) -> int:
        raw = _read_line(file)
        first = _members(read_canonical(raw), "exported_at format payloads scope", "the first line")
        if first["format"] != FORMAT:
            raise Malformed(f"it says {str(first['format'])[:40]!r}")
        if not _is_moment(first["exported_at"]) or type(first["payloads"]) is not bool:
            raise Malformed("its first line does not say when it was made, and with what")
        self.scope = read_scope(first["scope"])
        self.with_payloads = first["payloads"]
        self.report.scope, self.report.exported_at = first["scope"], first["exported_at"]
        start = file.tell()
        while True:
            try:
                raw = _read_line(file)
            except (Cut, EOFError):
                return start
            if not raw.startswith(b'{"epoch":{'):
                return start
            self._epoch(read_canonical(raw))
            start = file.tell()

    def _epoch(self, document: Any) -> None:
        value = _members(document, "epoch", "an epoch")["epoch"]
        said = _members(value, "number opened_at origin public_key reason", "an epoch")
        number = _count(said["number"], "number")
        if number <= max(self.epochs, default=0):
            raise Malformed("the epochs are not in their order")
        due = max(self.epochs, default=0) + 1
        if number != due:
            self.findings.add(f"the file has epoch {number}, and lacks epoch {due}", Place(due, 0))
        origin = _text(said["origin"], "origin")
        if origin.rpartition("/")[2] != str(number):
            self.findings.add(
                f"{origin[:100]} is not the origin of epoch {number}", Place(number, 0)
            )
        if not _is_moment(said["opened_at"]):
            raise Malformed("an epoch was opened at no moment")
        self.epochs[number] = Epoch(
            number,
            origin,
            _unbase64(said["public_key"], "public_key", 32),
            said["opened_at"],
            _text(said["reason"], "reason"),
        )

    # the tail

    def _read_tail(self, file: BinaryIO, start: int) -> int:
        end = _end_of_entries(file, start)
        file.seek(end)
        number = "after the entries"
        while True:
            offset = file.tell()
            try:
                raw = _read_line(file)
            except Cut:
                self.is_cut = self.tail.end is None or self.tail.signature is None
                if self.is_cut or file.tell() > offset:
                    self.is_cut = True
                    self.report.incomplete.append("the file was cut off: its end is missing")
                return end
            except EOFError:
                break
            except Malformed as error:
                self.findings.add(f"after the entries {error} (byte {offset})", ordinal=2**50)
                break
            try:
                self.tail.take(raw, offset)
            except Malformed as error:
                self.findings.add(
                    f"a line {number} {error} (byte {offset})", ordinal=2**40 + offset
                )
        if self.tail.end is None or self.tail.signature is None:
            self.is_cut = True
            self.report.incomplete.append("the file was cut off: its end is missing")
        return end

    # checkpoints and trees

    def _read_checkpoints(self, file: BinaryIO) -> None:
        for number, raw in self.tail.notes:
            epoch = self.epochs.get(number)
            if epoch is None:
                self.findings.add(
                    f"a checkpoint is of epoch {number}, which the file does not have"
                )
                continue
            try:
                checkpoint = self._checkpoint(epoch, parse_note(raw))
            except Malformed as error:
                self.findings.add(f"a checkpoint of epoch {number}: {error}", Place(number, 0))
                continue
            self.checkpoints.setdefault(number, []).append(checkpoint)
        for number, found in self.checkpoints.items():
            size = max(checkpoint.head.size for checkpoint in found)
            self.trees[number] = Tree(size, self.tail.tiles.pop(number, {}))
            self._tree(file, self.epochs[number])
        for number in self.tail.tiles:
            self.findings.add(f"there are tiles of epoch {number}, and no checkpoint")
        if not self.trust.keys:
            self.report.incomplete.append(
                "no key of the log was given: its signatures prove nothing"
            )

    def _checkpoint(self, epoch: Epoch, note: Note) -> Checkpoint:
        head = parse_checkpoint(note.text)
        if head.origin != epoch.origin:
            raise Malformed(f"it is of another log: {head.origin[:100]}")
        line = note.by(epoch.origin, 1, epoch.public)
        is_signed = line is not None and signature_holds(
            epoch.public, line.signature, note.text.encode()
        )
        cosigned: dict[bytes, int] = {}
        names = []
        for witness in self.trust.witnesses:
            for name in {line.name for line in note.lines}:
                if witness.name not in (None, name):
                    continue
                line = note.by(name, 4, witness.public)
                if line is not None:
                    cosigned[witness.public] = cosigned_at(note, line, witness.public)
                    names.append(name)
        return Checkpoint(head, is_signed, cosigned, tuple(sorted(names)))

    def _tree(self, file: BinaryIO, epoch: Epoch) -> None:
        tree, number = self.trees[epoch.number], epoch.number
        self._widths(number, tree)
        good = 0
        contradicted: list[int] = []
        unbelieved: list[tuple[int, int]] = []
        for checkpoint in self.checkpoints[number]:
            size = checkpoint.head.size
            if not checkpoint.is_signed:
                unbelieved.append((good, size))
                continue
            wrong, contradicts = self._wrong_with(file, tree, checkpoint)
            if wrong:
                contradicted += [size] if contradicts else []
                self.findings.add(wrong, Place(number, good), until=max(size, good + 1))
                continue
            good = size
            if contradicted:
                self.report.diverged.append(
                    f"epoch {number}: the log signed a tree of {size} entries, and before it a"
                    f" tree of {contradicted[-1]} that does not begin it"
                )
            if len(checkpoint.cosigned) >= max(1, self.trust.quorum):
                self.witnessed[number] = size
        if unbelieved:  # says nothing of the entries: it is one finding
            self.findings.add(
                f"the checkpoint at {unbelieved[0][1]} is not signed with the key of its epoch",
                Place(number, unbelieved[0][0]),
                until=max(unbelieved[-1][1], unbelieved[0][0] + 1),
            )
        self.proven[number] = good

    def _widths(self, number: int, tree: Tree) -> None:
        for (level, at), placed in tree.tiles.items():
            if placed.width != width_at(level, at, tree.size):
                self.findings.add(
                    f"tile/{level}/{at} is {placed.width} wide, in a tree of {tree.size}",
                    Place(number, (at * WIDTH) << (8 * level)),
                    until=tree.size,
                )

    def _wrong_with(self, file: BinaryIO, tree: Tree, checkpoint: Checkpoint) -> tuple[str, bool]:
        """Say what is wrong with a signed checkpoint, and whether the tree is another."""
        head = checkpoint.head
        try:
            if tree.root_at(file, head.size) == head.root:
                return "", False
        except Absent as error:
            return f"the tree cannot be led to the checkpoint at {head.size}: {error}", False
        return f"the tree does not lead to the root of the checkpoint at {head.size}", True

    # the entries

    def _layout(self) -> Layout:
        bounds: dict[int, list[Bounds]] = {}
        for number, found in self.checkpoints.items():
            for checkpoint in found:
                if checkpoint.cosigned:
                    at = min(checkpoint.cosigned.values())
                    latest = _moment(at + self.trust.early_seconds)
                    earliest = _moment(at - self.trust.late_seconds)
                    bounds.setdefault(number, []).append(
                        Bounds(checkpoint.head.size, latest, earliest)
                    )
        opened = {number: epoch.opened_at for number, epoch in self.epochs.items()}
        for number, found_at in bounds.items():
            first = min(each.latest for each in found_at)
            if opened[number] > first:
                wrong = f"it was opened at {opened[number]}, as it says: a witness saw it before"
                self.findings.add(wrong, Place(number, 0))
        return Layout(
            self.path, self.scope, self.trees, bounds, self.witnessed, opened, self.is_cut
        )

    @property
    def is_from_start(self) -> bool:
        """Say whether the file states all that lies before its last entry."""
        if self.scope.ranges is None or self.is_cut:
            return False
        held = self.scope.ranges.of_epochs
        last = max(held, default=0)
        return last > 0 and all(
            held.get(number, (0, 0))[0] == 0
            and (number == last or held.get(number, (0, 0))[1] == self._size(number))
            for number in range(1, last + 1)
        )

    @property
    def is_to_newest(self) -> bool:
        """Say whether the file states all up to the newest checkpoints in it."""
        if self.scope.ranges is None or self.is_cut:
            return False
        held = self.scope.ranges.of_epochs
        return all(held.get(number, (0, 0))[1] == tree.size for number, tree in self.trees.items())

    def _size(self, number: int) -> int:
        return self.trees[number].size if number in self.trees else 0

    def _entries(self, file: BinaryIO, start: int, end: int, hashing: Hashing) -> None:
        layout = self._layout()
        merge = Merge(self, 2 + len(self.epochs))
        for result in self._results(layout, file, start, end, hashing):
            if isinstance(result, Block):
                merge.add(result)
                self.progress(merge.entries)
            else:
                number, wrong = result
                for level, at, what in wrong:
                    first, width = (at * WIDTH) << (8 * level), WIDTH << (8 * level)
                    place = Place(number, first)
                    self.findings.add(f"tile/{level}/{at}: {what}", place, until=first + width)
        merge.end()

    def _results(
        self, layout: Layout, file: BinaryIO, start: int, end: int, hashing: Hashing
    ) -> Iterator[Any]:
        tasks = self._tasks(start, end)
        context = _context() if self.processes > 1 and end - start >= ALONE_BELOW else None
        if context is None:
            hashing.start()
            _begin_worker(layout)
            try:
                yield from map(_check_part, tasks)
            finally:
                _file.close()
            return
        with context.Pool(self.processes, _begin_worker, (layout,)) as pool:
            hashing.start()
            yield from pool.imap(_check_part, tasks)

    def _tasks(self, start: int, end: int) -> Iterator[tuple[str, Any]]:
        for number, tree in self.trees.items():
            names = sorted(tree.tiles)
            for at in range(0, len(names), WIDTH):
                yield "tiles", (number, names[at : at + WIDTH])
        with open(self.path, "rb") as own:
            while start < end:
                own.seek(min(end, start + BLOCK_BYTES) - 1)
                own.readline(LONGEST_LINE)
                stop = min(end, own.tell())
                yield "entries", (start, stop)
                start = stop

    # the end

    def _finish(self, hashing: Hashing) -> None:
        self._say_epochs()
        if not self.is_cut:
            self._check_end(hashing)
        if self.report.loose and self.scope.ranges is None:
            self.report.incomplete.append(
                f"{self.report.loose} entries lie in no signed tree yet: export again in a moment"
            )
        if not self.report.entries and not self.is_cut:
            self.report.incomplete.append("the file holds no entry: it proves nothing of its scope")
        if not self.checkpoints and not self.is_cut:
            self.report.incomplete.append("the file has no checkpoint: nothing of it is proven")
        if not self.is_cut:
            self._check_openings()
        self._check_quorum()
        for note in self.trust.since:
            self._check_since(note)
        if self.report.code == VALID:
            self.report.proves = self._proves()
            self.report.unproven = list(self._unproven())

    def _proves(self) -> str:
        scope = self.scope
        if scope.ranges is None:
            held = f"entries of {scope.name}, none left out between two of one chain of a run"
        elif self.is_from_start and self.is_to_newest:
            held = "every entry of the log up to the checkpoints above"
        else:
            held = "every entry of " + ", ".join(
                f"epoch {number} from index {start} to {end - 1}"
                for number, (start, end) in scope.ranges.of_epochs.items()
                if start < end
            )
        seen = (
            f" and {self.trust.quorum} of the witnesses given saw it" if self.trust.quorum else ""
        )
        return f"these are {held}, each as the log signed it{seen}"

    def _unproven(self) -> Iterator[str]:
        """Yield what a file like this cannot show, however well it holds."""
        report = self.report
        yield from self._beyond_scope()
        times = [epoch["cosigned_at"] for epoch in report.epochs if epoch["cosigned_at"]]
        when = f"{max(times)}, when a witness looked" if times else "these checkpoints"
        yield f"what came after {when}: an older state looks like this (--since a newer note tells)"
        if not self.trust.quorum:
            yield "that the log's key signed no other history: no witness was given"
        if report.keys and not (self.is_from_start and self.is_to_newest):
            yield "that its data keys are active or destroyed as it says: the whole log tells"
        if report.absent:
            yield f"why payloads are absent ({report.absent})"
        if report.bare:
            yield f"what artifacts without bytes said ({report.bare})"
        if not self.trust.export_keys:
            yield "who made the file: no export key was given"

    def _beyond_scope(self) -> Iterator[str]:
        scope = self.scope
        if scope.kind == "run":
            yield "that the run ended there: its last entries, or a writer of it, may be left out"
        elif scope.kind == "agent":
            yield "that this is all: other runs of it, or their last entries, may be left out"
        elif scope.from_ or scope.to:
            yield "that it is all of that time: the indexes are proven, not the moments"
        elif not self.is_from_start:
            yield "anything of what lies before"

    def _say_epochs(self) -> None:
        trusted = {key.public for key in self.trust.keys}
        believed = self._believed(trusted)
        for number, epoch in self.epochs.items():
            found = self.checkpoints.get(number, [])
            if trusted and found and number not in believed and number not in self.held:
                self.report.notes.append(
                    f"epoch {number} is signed with a key that is not among the keys given, and no"
                    " entry of this file lies in it"
                )
            elif trusted and found and number not in believed:
                self.findings.add(
                    f"epoch {number} is signed with a key that is not among the keys given",
                    Place(number, 0),
                    until=max(1, self.trees[number].size),
                )
            times = [at for one in found for at in one.cosigned.values()]
            self.report.epochs.append(
                {
                    "number": number,
                    "origin": epoch.origin,
                    "size": self.trees[number].size if number in self.trees else 0,
                    "proven": self.proven.get(number, 0),
                    "witnessed": self.witnessed.get(number, 0),
                    "witnesses": sorted({name for one in found for name in one.names}),
                    "cosigned_at": _moment(max(times)) if times else None,
                    "is_trusted": epoch.public in trusted,
                    "reason": epoch.reason,
                }
            )

    def _check_openings(self) -> None:
        """See that every further epoch begins with the record of what it left."""
        found = {place.epoch: facts for place, facts in self.openings if place.index == 0}
        ranges = self.scope.ranges.of_epochs if self.scope.ranges else {}
        for number, epoch in self.epochs.items():
            if number == min(self.epochs):
                continue
            if number not in self.trees and number == max(self.epochs):
                self.report.incomplete.append(
                    f"epoch {number} is open, and nothing in it is signed"
                )
            if number not in ranges or ranges[number][0] != 0:
                continue
            facts = found.get(number)
            if facts is None:
                wrong = f"epoch {number} was opened, and its first entry does not record it"
                self.findings.add(wrong, Place(number, 0))
            elif not self._agrees(epoch, facts):
                wrong = f"the record of epoch {number} says something else than the file"
                self.findings.add(wrong, Place(number, 0))

    def _agrees(self, epoch: Epoch, facts: dict[str, Any]) -> bool:
        """Say whether an opening is of this epoch, and of the end of one before it."""
        said = facts.get("origin"), facts.get("public_key"), facts.get("reason")
        if said != (epoch.origin, _spelt(epoch.public), epoch.reason):
            return False
        for number, left in self.epochs.items():
            if left.origin == facts.get("left_origin") and number < epoch.number:
                tree = self.trees.get(number)
                size, root = facts.get("left_size"), facts.get("left_root")
                if tree is None:
                    return size == 0
                if size != tree.size:
                    return False
                return any(
                    one.head.size == size and one.head.root.hex() == root
                    for one in self.checkpoints[number]
                )
        return False

    def _believed(self, trusted: set[bytes]) -> set[int]:
        """Return the epochs under trusted keys, and those that a believed later one records."""
        believed = {number for number, epoch in self.epochs.items() if epoch.public in trusted}
        for place, facts in sorted(
            self.openings, key=lambda opening: opening[0].epoch or 0, reverse=True
        ):
            later = self.epochs.get(place.epoch or 0)
            if later is None or later.number not in believed or place.index != 0:
                continue
            if self.proven.get(later.number, 0) and self._agrees(later, facts):
                left = facts.get("left_origin")
                believed |= {each.number for each in self.epochs.values() if each.origin == left}
        return believed

    def _check_quorum(self) -> None:
        if not self.trust.quorum:
            return
        if self.report.unwitnessed:
            self.report.incomplete.append(
                f"{self.report.unwitnessed} entries lie in no tree that"
                f" {self.trust.quorum} of the witnesses given cosigned"
            )

    def _check_since(self, raw: bytes) -> None:
        try:
            note = parse_note(raw)
            head = parse_checkpoint(note.text)
        except Malformed as error:
            self.report.incomplete.append(f"the earlier checkpoint cannot be read: {error}")
            return
        epoch = next((one for one in self.epochs.values() if one.origin == head.origin), None)
        is_signed = any(
            (line := note.by(head.origin, 1, key.public)) is not None
            and signature_holds(key.public, line.signature, note.text.encode())
            for key in self.trust.keys
        )
        if not is_signed:
            self.report.incomplete.append("the earlier checkpoint is not signed with a key given")
        elif epoch is None or epoch.number not in self.trees:
            self.report.diverged.append(
                f"the earlier checkpoint is of {head.origin}, which this file does not have"
            )
        else:
            self._compare(epoch.number, head)

    def _compare(self, number: int, head: Head) -> None:
        tree = self.trees[number]
        if head.size > tree.size:
            self.report.diverged.append(
                f"the earlier checkpoint has {head.size} entries, and this file's tree only"
                f" {tree.size}: entries from index {tree.size} on are gone, or the file is older"
            )
            return
        try:
            with open(self.path, "rb") as file:
                root = tree.root_at(file, head.size)
        except Absent as error:
            self.report.incomplete.append(
                f"this file does not show whether the earlier checkpoint (size {head.size}) begins"
                f" its tree: {error}; export the whole log"
            )
            return
        if root == head.root:
            self.report.notes.append(f"the earlier checkpoint, size {head.size}, begins this tree")
        else:
            self.report.diverged.append(
                f"the earlier checkpoint does not begin this tree: an entry before index"
                f" {head.size} is another than it was"
            )

    def _check_end(self, hashing: Hashing) -> None:
        tail, report = self.tail, self.report
        if tail.end is None or tail.signature is None:
            return
        chains = None if self.scope.ranges is not None else report.chains
        counted = {
            **tail.counts,
            "chains": chains,
            "entries": report.entries,
            "epochs": len(self.epochs),
            "payloads": report.payloads,
            "sha256": hashing.before_end,
        }
        for name, value in sorted(counted.items()):
            if tail.end[name] != value:
                self.findings.add(
                    f"the file's end says {name} {str(tail.end[name])[:70]}, and it is {value}",
                    ordinal=2**50,
                )
        try:
            self._check_signature(parse_note(tail.signature), hashing.before_signature)
        except Malformed as error:
            self.findings.add(f"the export's signature: {error}", ordinal=2**50)

    def _check_signature(self, note: Note, digest: str) -> None:
        if note.text != f"{FORMAT}\n{digest}\n":
            raise Malformed("it is over other bytes than the file's")
        if not self.trust.export_keys:
            return
        for key in self.trust.export_keys:
            for name in {line.name for line in note.lines}:
                line = note.by(name, 1, key.public) if key.name in (None, name) else None
                if line is not None and signature_holds(
                    key.public, line.signature, note.text.encode()
                ):
                    self.report.export_signature = f"holds: {name}"
                    return
        self.report.export_signature = "does not hold"
        raise Malformed("it is by none of the export keys given")


class Merge:
    """Puts the blocks together, in the order of the file."""

    def __init__(self, whole: Verification, lines_before: int) -> None:
        self.whole = whole
        self.lines = lines_before
        self.entries = 0
        self.last: Place | None = None
        self.opened: dict[tuple[str, str], Place] = {}
        self.answers: dict[tuple[str, str], Place] = {}
        self.keys: dict[str, Place] = {}
        self.without: dict[str, Place] = {}
        self.named: dict[tuple[str, str], Place] = {}  # kind and digest of an artifact
        self.tombstones: dict[str, list[Place]] = {}
        self.stale: list[Place] = []
        self.fresh: dict[int, int] = {}
        self.due = 0  # of a period: how manieth entry comes next
        self.is_from_start = whole.is_from_start
        self.chains = Chains(whole.findings, self._is_whole)

    def _is_whole(self, stream: str) -> bool:
        scope = self.whole.scope
        if scope.kind == "agent":
            return stream.startswith("run_") or stream == f"agent:{scope.name}"
        return scope.kind == "run" or self.is_from_start

    def add(self, block: Block) -> None:
        """Take the next block."""
        report, findings = self.whole.report, self.whole.findings
        for finding in block.found:
            number = self.lines + finding.ordinal
            wrong = finding.wrong.replace(LINE, str(number))
            findings.extend([finding._replace(wrong=wrong, ordinal=number)])
        findings.extend([], block.beyond)
        self._join(block)
        for link in block.links:
            self.chains.add(link)
        self._pair(block)
        self._remember(block)
        if len(self.stale) < FINDINGS_KEPT or self.fresh:
            self.stale = (self.stale + block.stale)[-FINDINGS_KEPT:]
        self.whole.openings += block.openings
        self.lines += block.lines
        self.entries += block.entries
        report.entries = self.entries
        report.payloads += block.payloads
        report.absent += block.absent
        report.loose += block.loose
        report.unwitnessed += block.unwitnessed

    def _remember(self, block: Block) -> None:
        for dek, place in block.keys.items():
            self.keys.setdefault(dek, place)
        for dek, place in block.without.items():
            self.without.setdefault(dek, place)
        self.whole.held |= block.epochs
        for digest, place in block.named.items():
            self.named.setdefault(digest, place)
        for dek, places in block.tombstones.items():
            self.tombstones.setdefault(dek, []).extend(places)
        for epoch, index in block.fresh.items():
            self.fresh.setdefault(epoch, index)

    def _join(self, block: Block) -> None:
        findings, ranges = self.whole.findings, self.whole.scope.ranges
        if block.first is not None:
            if self.last is not None:
                findings.extend(out_of_order(self.last, block.first, self.lines))
            self.last = block.last
        if ranges is not None and block.first_at is not None:
            at, place = block.first_at
            findings.extend(ranges.between(self.due, at, place, self.lines))
            self.due = block.next_at

    def _pair(self, block: Block) -> None:
        for name, place in block.opened.items():
            if self.answers.pop(name, None) is None:
                self.opened[name] = place
        for name, place in block.answers.items():
            if self.opened.pop(name, None) is None:
                before = self.answers.get(name)
                if before is not None:
                    wrong = "it answers an intent that another entry answers"
                    self.whole.findings.add(wrong, place)
                self.answers.setdefault(name, place)

    def end(self) -> None:
        """Take it that nothing more comes."""
        whole, findings = self.whole, self.whole.findings
        self.chains.end(whole.proven)
        whole.report.chains = len(self.chains)
        for (stream, _), place in self.answers.items():
            if self._is_whole(stream):
                findings.add("it answers no open intent of its stream", place)
        whole.report.open_intents = len(self.opened)
        for place in self.stale:
            fresh = self.fresh.get(place.epoch or 0)
            if fresh is not None and place.index is not None and place.index > fresh:
                findings.add("it is long older than what lies before it: backdated", place)
        if whole.is_cut:
            return
        self._check_ranges()
        self._check_keys()
        for (kind, digest), place in self.named.items():
            self._check_artifact(kind, digest, place)

    def _check_ranges(self) -> None:
        ranges = self.whole.scope.ranges
        if ranges is None:
            return
        for epoch, (start, end) in ranges.of_epochs.items():
            sizes = {one.head.size for one in self.whole.checkpoints.get(epoch, [])}
            if not {start, end} <= sizes | {0}:
                wrong = "the period does not start and end at a checkpoint of the file"
                self.whole.findings.add(wrong, Place(epoch, start))
        self.whole.findings.extend(ranges.missing(self.due, ranges.total, self.lines))
        if self.whole.scope.to is not None:
            return
        for epoch, tree in self.whole.trees.items():
            end = ranges.of_epochs.get(epoch, (0, 0))[1]
            if end < tree.size:
                wrong = (
                    "the period has no end, and what the tree has from this index on is left out"
                )
                self.whole.findings.add(wrong, Place(epoch, end), until=tree.size)

    def _check_keys(self) -> None:
        self.whole.report.keys = len(self.keys)
        stated = self.whole.tail.keys
        for dek, place in self.keys.items():
            state, by = stated.get(dek, ("missing", None))
            recorded = self.tombstones.get(dek, [])
            if state == "missing":
                self.whole.findings.add("its payload's data key has no row", place)
            elif state == "shredded":
                self._check_destroyed(dek, by, place, [each.id for each in recorded])
            elif recorded:
                wrong = f"the data key {dek} is back, and an entry records its destruction"
                self.whole.findings.add(wrong, recorded[0])
            elif dek in self.without and self.whole.with_payloads:
                self._check_absent(by, self.without[dek])

    def _check_destroyed(self, dek: str, by: str | None, place: Place, recorded: list[str]) -> None:
        is_whole_log = self.is_from_start and self.whole.is_to_newest
        if by is None or (is_whole_log and by not in recorded):
            wrong = f"its data key {dek} was destroyed, and no entry records it"
            self.whole.findings.add(wrong, place)

    def _check_absent(self, by: str | None, place: Place) -> None:
        """A payload goes with its month, once every data key of the month is destroyed."""
        if by is None:
            wrong = "its payload is not in the file, and its data key is not destroyed"
            self.whole.findings.add(wrong, place)
        else:
            self.whole.report.incomplete.append(
                f"payloads are absent whose data key was destroyed after the file's newest"
                f" checkpoint, by {by}: export again"
            )

    def _check_artifact(self, kind: str, digest: str, place: Place) -> None:
        holds = self.whole.tail.artifacts.get((kind, digest))
        self.whole.report.bare += (kind, digest) in self.whole.tail.bare
        if holds is None:
            wrong = f"the file does not state the {kind} {digest} that it names"
            self.whole.findings.add(wrong, place)
        elif holds is False:
            wrong = f"the bytes behind the {kind} that it names are others: not {digest}"
            self.whole.findings.add(wrong, place)


class Hashing(threading.Thread):
    """Hashes the file while its entries are checked; hashing lets other threads run."""

    def __init__(self, path: str, tail: Tail) -> None:
        super().__init__(daemon=True)
        self._path = path
        self._ends = [tail.end_at, tail.signature_at]
        self.before_end = self.before_signature = ""

    def run(self) -> None:
        """Hash the bytes before the end line, and those before the signature."""
        if not all(self._ends):
            return
        hasher, at, found = hashlib.sha256(), 0, []
        with open(self._path, "rb") as file:
            for end in self._ends:
                while at < end:
                    part = file.read(min(1024 * 1024, end - at))
                    if not part:
                        return
                    hasher.update(part)
                    at += len(part)
                found.append(hasher.hexdigest())
        self.before_end, self.before_signature = found


def _read_line(file: BinaryIO) -> bytes:
    raw = file.readline(LONGEST_LINE + 1)
    if not raw:
        raise EOFError
    if not raw.endswith(b"\n"):
        if len(raw) > LONGEST_LINE:
            raise Malformed(f"a line has more than {LONGEST_LINE} bytes")
        raise Cut
    return raw[:-1]


def _end_of_entries(file: BinaryIO, start: int) -> int:
    """Return where the last line that begins as an entry does ends."""
    mark = b'\n{"entry":{'
    end = file.seek(0, os.SEEK_END)
    while end >= start:
        from_ = max(start - 1, end - BLOCK_BYTES)
        file.seek(from_)
        part = file.read(end - from_ + len(mark) - 1)
        at = part.rfind(mark)
        if at >= 0:
            file.seek(from_ + at + 1)
            line = file.readline(LONGEST_LINE + 1)
            return from_ + at + 1 + (len(line) if line.endswith(b"\n") else 0)
        if from_ == start - 1:
            break
        end = from_
    return start


def _context() -> Any:
    """Return how to start further processes; None where this process goes on alone."""
    methods = multiprocessing.get_all_start_methods()
    if "fork" in methods:  # the fastest start, and safe only where nothing else runs in here
        return multiprocessing.get_context("fork") if threading.active_count() == 1 else None
    return multiprocessing.get_context("spawn") if __name__ == "__main__" else None


def verify(
    path: str,
    trust: Trust,
    *,
    processes: int | None = None,
    progress: Progress = lambda _: None,
) -> Report:
    """Check an export. ``-`` is standard input, kept in a temporary file meanwhile."""
    try:
        if path == "-":
            with tempfile.NamedTemporaryFile(suffix=".jsonl") as kept:
                shutil.copyfileobj(sys.stdin.buffer, kept)
                kept.flush()
                return verify(kept.name, trust, processes=processes, progress=progress)
        with open(path, "rb") as file:
            count = processes or min(2, os.cpu_count() or 1)
            return Verification(path, trust, count, progress).run(file)
    except OSError as error:
        report = Report()
        report.incomplete.append(f"the file cannot be read ({error.strerror})")
        return report


# --- the command


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description="Check an export of an Unsprawl ledger.",
        epilog="Exit: 0 valid, 1 invalid, 2 incomplete, 3 diverged.",
    )
    add = parser.add_argument
    add("export", help="the file, or - for standard input")
    add("--key", action="append", default=[], help="a public key of the log, or a file of it")
    add("--witness", action="append", default=[], help="a public key of a witness you trust")
    add("--witness-quorum", type=int, metavar="N", help="how many of them must have cosigned")
    add("--export-key", action="append", default=[], help="the public key that signs exports")
    add("--since", action="append", default=[], metavar="NOTE", help="a checkpoint you kept")
    add(
        "--early",
        type=int,
        default=EARLY_SECONDS,
        help="seconds an entry may be ahead of a witness",
    )
    add("--late", type=int, default=LATE_SECONDS, help="seconds an entry may come late to the tree")
    add("--processes", type=int, help="how many to use (2)")
    add("--json", action="store_true", help="answer as one JSON document")
    return parser


def _trust(asked: argparse.Namespace) -> Trust:
    witnesses = tuple(map(parse_key, asked.witness))
    quorum = asked.witness_quorum
    if quorum is None:
        quorum = 1 if witnesses else 0
    if quorum > len({witness.public for witness in witnesses}):
        raise Malformed(f"--witness-quorum {quorum} asks for more witnesses than were given")
    since = []
    for name in asked.since:
        with open(name, "rb") as file:
            since.append(file.read(1_000_000))
    return Trust(
        tuple(map(parse_key, asked.key)),
        witnesses,
        quorum,
        tuple(map(parse_key, asked.export_key)),
        tuple(since),
        asked.early,
        asked.late,
    )


def _progress(entries: int) -> None:
    if sys.stderr.isatty():
        sys.stderr.write(f"\r{entries} entries checked")


def _printable(text: str) -> str:
    """Spell out what would steer a terminal, or what it may have no sign for."""
    return "".join(
        each if " " <= each <= "~" else each.encode("unicode_escape").decode() for each in text
    )


def _said_of(epoch: dict[str, Any]) -> str:
    witnessed = "no witness looked at"
    if epoch["witnesses"]:
        witnessed = f"cosigned by {', '.join(epoch['witnesses'])} at {epoch['cosigned_at']}"
    return f"epoch {epoch['number']}, {epoch['origin']}: {epoch['size']} entries, {witnessed}"


def say(report: Report, out: Callable[[str], Any]) -> None:
    """Write a report for people. What comes from the file is in it as letters, and no more."""

    def write(line: str) -> None:
        out(_printable(line.rstrip("\n")) + "\n")

    write(f"says it holds: {json.dumps(report.scope)}, exported at {report.exported_at}")
    write(
        f"{report.entries} entries in {report.chains} chains, {report.payloads} payloads checked,"
        f" {report.absent} absent, {report.open_intents} open intents ({report.seconds:.1f} s)\n"
    )
    for epoch in report.epochs:
        write(_said_of(epoch))
    write(f"export signature: {report.export_signature}\n")
    for line in (*report.notes, *(f"DIVERGED: {wrong}" for wrong in report.diverged)):
        write(line)
    found = report.findings.ordered()
    for at, finding in enumerate(found[:10]):
        write(f"{'    also ' if at else 'INVALID: '}{finding}\n")
    if report.findings.bad > 10:
        write(f"    and {report.findings.bad - 10} more\n")
    for why in report.incomplete:
        write(f"INCOMPLETE: {why}\n")
    if report.code == VALID:
        write("The export holds.\n")
        write(f"This proves: {report.proves}.\n")
        write(f"It does not prove: {'; '.join(report.unproven)}.\n")


def main(
    arguments: Sequence[str] | None = None, write: Callable[[str], Any] = sys.stdout.write
) -> int:
    """Run the command; return its exit code."""
    asked = _arguments().parse_args(arguments)
    try:
        trust = _trust(asked)
    except (Malformed, OSError, ValueError) as error:  # a key that is no text, among others
        write(_printable(f"INCOMPLETE: {error}") + "\n")
        return INCOMPLETE
    report = verify(asked.export, trust, processes=asked.processes, progress=_progress)
    if sys.stderr.isatty():
        sys.stderr.write("\r")
    if asked.json:
        write(json.dumps(report.document()) + "\n")
    else:
        say(report, write)
    return report.code


if __name__ == "__main__":
    sys.exit(main())
