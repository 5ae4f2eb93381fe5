"""Bytes in, values out, and back in one canonical form.

Reading is strict: duplicate keys, NaN, infinities, lone surrogates, NUL and nesting
deeper than 64 are refused at every edge, because two readers that disagree about a
document are two policies. Writing is RFC 8785, so equal values have equal digests.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections import Counter
from contextlib import suppress
from typing import Final, cast

import orjson
import rfc8785

from kernel.errors import Invalid, Malformed, TooLarge

MAX_DEPTH: Final = 64
# A value takes fifty times its text once it is read: `{},` over and over would fill a machine.
MAX_PARTS: Final = 1_000_000
_LARGEST: Final = 2**53 - 1


class NotJSON(Malformed):
    """Raised by `strict_loads`; the edge answers 400 with the reason."""

    code = "kernel.not_json"
    title = "The body is not acceptable JSON"


class BodyTooLarge(TooLarge):
    """Raised when a body exceeds the door's cap; the edge answers 413."""

    code = "kernel.body_too_large"


class NotCanonical(Invalid, ValueError):
    """Raised when a value has no canonical form, so nothing can be bound to it."""

    code = "kernel.not_canonical"
    title = "The document has no canonical form"


def strict_loads(raw: bytes, *, limit: int | None = None) -> object:
    """Read JSON that every reader understands alike (RFC 8259, I-JSON RFC 7493).

    Raises: NotJSON, BodyTooLarge.
    """
    if limit is not None:
        _check_size(raw, limit)
    try:
        value = _loads(raw)
    except UnicodeDecodeError as error:
        raise NotJSON(f"The body is not UTF-8 (byte {error.start}).") from None
    except RecursionError:
        raise NotJSON(f"The body is nested deeper than {MAX_DEPTH}.") from None
    except json.JSONDecodeError as error:
        raise NotJSON(
            f"The body is not JSON: {error.msg} (line {error.lineno}, column {error.colno}).",
            line=error.lineno,
            column=error.colno,
        ) from None
    except ValueError:
        raise NotJSON("The body holds a number that cannot be represented.") from None
    if raw.count(b"[") + raw.count(b"{") > MAX_DEPTH:
        _check_depth(value)
    if b"\\u" in raw:  # only an escape can smuggle these past the decoder
        _check_text(value)
    return value


def _check_size(raw: bytes, limit: int) -> None:
    """Refuse, unread, what a door does not take. Signs within texts count as well."""
    if len(raw) > limit:
        raise BodyTooLarge(f"The body has more than {limit} bytes.", limit_bytes=limit)
    if len(raw) <= MAX_PARTS:
        return
    if raw.count(b",") + raw.count(b"{") + raw.count(b"[") > MAX_PARTS:
        raise BodyTooLarge(
            f"The body has more than {MAX_PARTS} commas and brackets. Send it in several calls.",
            limit_parts=MAX_PARTS,
        )


def _loads(raw: bytes) -> object:
    value: object = _DECODER.decode(raw.decode("utf-8"))
    return value


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        counted = Counter(key for key, _ in pairs)
        twice = counted.most_common(1)[0][0][:80]
        raise NotJSON(f"The key {twice!r} appears twice in one object.", key=twice)
    return found


def _constant(name: str) -> object:
    raise NotJSON(f"{name} is not a JSON number.")


def _float(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise NotJSON("The body holds a number that is out of range.")
    return number


# Made once: `json.loads` makes one for every text, a third of what reading a call costs.
_DECODER: Final = json.JSONDecoder(
    object_pairs_hook=_object, parse_constant=_constant, parse_float=_float
)


def _check_depth(value: object) -> None:
    layer = [value]
    for _ in range(MAX_DEPTH + 1):
        layer = [item for item in layer if isinstance(item, dict | list)]
        if not layer:
            return
        layer = [below for item in layer for below in _items(item)]
    raise NotJSON(f"The body is nested deeper than {MAX_DEPTH}.")


def _items(container: object) -> list[object]:
    if isinstance(container, dict):
        return list(container.values())
    return list(container) if isinstance(container, list) else []


def _check_text(value: object) -> None:
    stack = [value]
    while stack:
        item = stack.pop()
        stack.extend(_items(item))
        if isinstance(item, dict):
            stack.extend(item.keys())
        elif isinstance(item, str):
            _check_string(item)


def _check_string(text: str) -> None:
    if "\x00" in text:
        raise NotJSON("The body holds a NUL character.")
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        raise NotJSON("The body holds half of a surrogate pair.") from None


def canonical(value: object) -> bytes:
    """Write a value in its one canonical form (RFC 8785). Raises: NotCanonical."""
    try:
        if _is_plain(value):
            # Without floats and with ASCII keys, orjson writes RFC 8785, ten times as fast.
            with suppress(orjson.JSONEncodeError):
                return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
        return rfc8785.dumps(cast("dict[str, object]", value))  # type: ignore[arg-type]
    except (ValueError, RecursionError):
        # Rounding such a number would give two different documents one digest.
        raise NotCanonical(
            "The document holds a number beyond 2^53, or something that is not JSON."
        ) from None


def _is_plain(value: object) -> bool:
    if value is None or isinstance(value, str):
        return True
    if isinstance(value, int):
        return -_LARGEST <= value <= _LARGEST
    if isinstance(value, dict):
        if not all(isinstance(key, str) and key.isascii() for key in value):
            return False
        return all(map(_is_plain, value.values()))
    return isinstance(value, list) and all(map(_is_plain, value))


def digest(value: object) -> str:
    """Return ``sha256:<hex>`` of the canonical form."""
    return digest_bytes(canonical(value))


def digest_bytes(raw: bytes) -> str:
    """Return ``sha256:<hex>`` of bytes as they are."""
    return "sha256:" + hashlib.sha256(raw).hexdigest()
