"""The body of a chat call: read strictly, forwarded as it came.

Owns the difference between what an agent sent and what a vendor gets: the model's name,
and the wish for a usage report in a stream. Both are spliced into the text, so every other
byte (unknown fields, the spelling of numbers, white space) reaches the vendor untouched.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from kernel.canonical import strict_loads
from kernel.errors import Malformed

LIMIT: Final = 32 * 1024 * 1024
LONGEST_MODEL: Final = 200

_decode = json.JSONDecoder().raw_decode
_opening = re.compile(r"[ \t\n\r]*\{[ \t\n\r]*").match
_colon = re.compile(r"[ \t\n\r]*:[ \t\n\r]*").match
_comma = re.compile(r"[ \t\n\r]*,?[ \t\n\r]*").match

Span = tuple[int, int]


class NotAChatCall(Malformed):
    """Raised when a member that the gateway itself must read is missing or of another type."""

    code = "routing.not_a_chat_call"
    title = "The body is not a chat completion request"


@dataclass(frozen=True, slots=True)
class ChatBody:
    """A chat call as it arrived, and where in its text the gateway has to write."""

    text: str
    size: int
    model: str
    streams: bool
    reports_usage: bool
    spans: dict[str, Span]

    def for_model(self, name: str) -> bytes:
        """Return the bytes for a vendor: this model, and a usage report in every stream."""
        edits = [(*self.spans["model"], json.dumps(name))]
        if self.streams and not self.reports_usage:
            edits.append(self._usage_wish())
        return splice(self.text, edits).encode()

    def _usage_wish(self) -> tuple[int, int, str]:
        if "stream_options" not in self.spans:
            closing = self.text.rindex("}")
            return closing, closing, ',"stream_options":{"include_usage":true}'
        start, end = self.spans["stream_options"]
        if self.text[start] != "{":  # null
            return start, end, '{"include_usage":true}'
        inner = member_spans(self.text, start)
        if "include_usage" in inner:
            return (*inner["include_usage"], "true")
        return start + 1, start + 1, '"include_usage":true' + ("," if inner else "")


def read_chat(raw: bytes) -> ChatBody:
    """Read a chat call. Raises: NotJSON, NotAChatCall, BodyTooLarge."""
    value = strict_loads(raw, limit=LIMIT)
    if not isinstance(value, dict):
        raise NotAChatCall("The body must be a JSON object.")
    model = value.get("model")
    if not isinstance(model, str) or not model:
        raise NotAChatCall("model must be a text: the name of a task route.", param="model")
    if len(model) > LONGEST_MODEL:
        raise NotAChatCall(f"model has more than {LONGEST_MODEL} characters.", param="model")
    streams = value.get("stream")
    if streams is not None and not isinstance(streams, bool):
        raise NotAChatCall("stream must be true or false.", param="stream")
    options = value.get("stream_options")
    if options is not None and not isinstance(options, dict):
        raise NotAChatCall("stream_options must be an object.", param="stream_options")
    text = raw.decode()
    return ChatBody(
        text=text,
        size=len(raw),
        model=model,
        streams=bool(streams),
        reports_usage=bool(options and options.get("include_usage") is True),
        spans=member_spans(text),
    )


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
