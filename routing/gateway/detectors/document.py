"""A JSON document: every text in it looked at, and nothing else in it touched.

Owns where texts are. Every string counts, in whatever member, keys included, as its escapes
say it; so does JSON inside a string, and a bare number that is long enough to be somebody's.
What is replaced is spliced in, so the document stays valid and all other bytes as they were.
Encoded files (data URLs and long base64) are passed over and counted.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Final

from routing.gateway.detectors.rules import BLOCK, Rules, Tally
from routing.gateway.detectors.text import Blocked

_STRING: Final = re.compile(rb'"([^"\\]*(?:\\.[^"\\]*)*)"', re.DOTALL)
_NUMBER: Final = re.compile(rb"(?<![\w.+-])[0-9]{8,34}(?![\w.])")
_BASE64: Final = re.compile(rb"[A-Za-z0-9+/]{512,}={0,2}")
_DATA_URL: Final = re.compile(rb"data:[\w.+\\/=;-]{0,200};base64,[A-Za-z0-9+\\/]*={0,2}")
_DEEPEST: Final = 4
_SHORTEST: Final = 6


def screened_document(raw: bytes, rules: Rules, tally: Tally, *, deep: int = 0) -> bytes:
    """Return a document as it may go on. Raises: Blocked."""
    if not rules.may_hold(raw):
        return raw
    pieces: list[bytes] = []
    done = 0
    for start, end, made in _changes(raw, rules, tally, deep):
        pieces += (raw[done:start], made)
        done = end
    if not pieces:
        return raw
    return b"".join([*pieces, raw[done:]])


def screened_text(text: bytes, rules: Rules, tally: Tally) -> bytes:
    """Return a text as it may go on. Raises: Blocked."""
    found = rules.find(text)
    if not found:
        return text
    for one in found:
        if one.action == BLOCK:
            tally.found.update(each.kind for each in found)
            raise Blocked(one.kind)
    return rules.applied(text, found, tally)


def _changes(raw: bytes, rules: Rules, tally: Tally, deep: int) -> Iterator[tuple[int, int, bytes]]:
    done = 0
    for match in _STRING.finditer(raw):
        start, end = match.span(1)
        yield from _numbers(raw, done, start - 1, rules, tally)
        done = end + 1
        if end - start < _SHORTEST:
            continue
        inner = raw[start:end]
        made = _string(inner, rules, tally, deep)
        if made is not inner:
            yield start, end, made
    yield from _numbers(raw, done, len(raw), rules, tally)


def _numbers(
    raw: bytes, start: int, end: int, rules: Rules, tally: Tally
) -> Iterator[tuple[int, int, bytes]]:
    if end - start < 8:
        return
    for match in _NUMBER.finditer(raw, start, end):
        number = match[0]
        made = screened_text(number, rules, tally)
        if made is not number:
            yield *match.span(), b'"' + made + b'"'


def _string(inner: bytes, rules: Rules, tally: Tally, deep: int) -> bytes:
    """Return the inside of a JSON string, the same object when nothing in it changes."""
    if _BASE64.fullmatch(inner) or _DATA_URL.fullmatch(inner):
        tally.skipped += 1
        return inner
    if b"\\" not in inner:
        return screened_text(inner, rules, tally)
    text = said_by(inner)
    if text[:1] in {b"{", b"["} and deep < _DEEPEST and _is_json(text):
        made = screened_document(text, rules, tally, deep=deep + 1)
    else:
        made = screened_text(text, rules, tally)
    return inner if made is text else written(made.decode("utf-8", "surrogatepass"))


def said_by(inner: bytes) -> bytes:
    """Return what the inside of a JSON string says, in UTF-8."""
    decoded: str = json.loads(b'"' + inner + b'"', strict=False)
    return decoded.encode("utf-8", "surrogatepass")


def written(text: str) -> bytes:
    """Return a text as the inside of a JSON string."""
    has_halves = any("\ud800" <= sign <= "\udfff" for sign in text)
    return json.dumps(text, ensure_ascii=has_halves)[1:-1].encode()


def _is_json(text: bytes) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True
