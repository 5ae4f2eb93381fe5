"""The body of a call: read strictly, forwarded as it came.

Owns how the gateway writes into an agent's text without touching the rest of it: what a
wire changes (the model's name, and little else) is spliced in, so every other byte
(unknown fields, the spelling of numbers, white space) reaches the vendor as it was.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any, Final

from kernel.canonical import strict_loads
from kernel.errors import Malformed

LIMIT: Final = 32 * 1024 * 1024
LONGEST_MODEL: Final = 200

_decode = json.JSONDecoder().raw_decode
_opening = re.compile(r"[ \t\n\r]*\{[ \t\n\r]*").match
_colon = re.compile(r"[ \t\n\r]*:[ \t\n\r]*").match
_comma = re.compile(r"[ \t\n\r]*,?[ \t\n\r]*").match

Span = tuple[int, int]


@dataclass(frozen=True, slots=True)
class CallBody:
    """A call as it arrived, and where in its text the gateway has to write.

    ``refers_to`` is the id of an earlier answer that a vendor keeps and this call builds on.
    """

    text: str
    size: int
    model: str
    streams: bool
    spans: dict[str, Span]
    reports_usage: bool = True
    refers_to: str = ""

    def named(self, model: str) -> tuple[int, int, str]:
        """Return the edit that gives the vendor its own name of the model."""
        return (*self.spans["model"], json.dumps(model))


def read_object(raw: bytes, refusal: type[Malformed]) -> dict[str, Any]:
    """Read a body that must be an object. Raises: NotJSON, BodyTooLarge, the refusal."""
    value = strict_loads(raw, limit=LIMIT)
    if not isinstance(value, dict):
        raise refusal("The body must be a JSON object.")
    return value


def read_model(value: dict[str, Any], refusal: type[Malformed]) -> str:
    """Return the name that is called. Raises: the refusal."""
    model = value.get("model")
    if not isinstance(model, str) or not model:
        raise refusal("model must be a text: the name of a task route.", param="model")
    if len(model) > LONGEST_MODEL:
        raise refusal(f"model has more than {LONGEST_MODEL} characters.", param="model")
    return model


def read_flag(value: dict[str, Any], name: str, refusal: type[Malformed]) -> bool:
    """Return a member that is true, false or not there. Raises: the refusal."""
    flag = value.get(name)
    if flag is not None and not isinstance(flag, bool):
        raise refusal(f"{name} must be true or false.", param=name)
    return bool(flag)


def member_spans(text: str, index: int = 0) -> dict[str, Span]:
    """Say where the value of each member of an object lies. The text is known to be JSON."""
    spans: dict[str, Span] = {}
    index = _after(_opening, text, index)
    while text[index] != "}":
        key, index = _decode(text, index)
        start = _after(_colon, text, index)
        _, end = _decode(text, start)
        spans[key] = start, end
        index = _after(_comma, text, end)
    return spans


def element_spans(text: str, index: int) -> list[Span]:
    """Say where each element of the list lies that begins here. The text is known to be JSON."""
    spans: list[Span] = []
    index = _after(_comma, text, index + 1)
    while text[index] != "]":
        _, end = _decode(text, index)
        spans.append((index, end))
        index = _after(_comma, text, end)
    return spans


def without_members(text: str, names: Collection[str]) -> str:
    """Return an object's text without these members. The text is known to be JSON."""
    kept: list[str] = []
    index = _after(_opening, text, 0)
    while text[index] != "}":
        key, after = _decode(text, index)
        _, end = _decode(text, _after(_colon, text, after))
        if key not in names:
            kept.append(text[index:end])
        index = _after(_comma, text, end)
    return "{" + ",".join(kept) + "}"


@dataclass(frozen=True, slots=True)
class Extent:
    """Where a member of an object lies: its name, and its value."""

    name: str
    key: int
    key_end: int
    start: int
    end: int


def member_extents(text: str, index: int = 0) -> list[Extent]:
    """Say where the members of an object lie, in order. The text is known to be JSON."""
    extents: list[Extent] = []
    index = _after(_opening, text, index)
    while text[index] != "}":
        name, key_end = _decode(text, index)
        start = _after(_colon, text, key_end)
        _, end = _decode(text, start)
        extents.append(Extent(name, index, key_end, start, end))
        index = _after(_comma, text, end)
    return extents


def splice(text: str, edits: list[tuple[int, int, str]]) -> str:
    """Replace spans that do not overlap; everything between them stays as it is."""
    pieces: list[str] = []
    done = 0
    for start, end, replacement in sorted(edits):
        pieces += (text[done:start], replacement)
        done = end
    pieces.append(text[done:])
    return "".join(pieces)


def _after(sign: Callable[[str, int], re.Match[str] | None], text: str, index: int) -> int:
    found = sign(text, index)
    assert found is not None  # noqa: S101  the text is JSON
    return found.end()
