"""Whether an answer refuses: by what the vendor says of it, or, as a guess, by how it begins.

What is structured (a refusal member, a stop reason) is a fact. A phrase is a guess, is called
one wherever it is shown, and is looked for only in short answers of text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

from routing.comparing.spoken import Answer
from routing.gateway.sse import EventSplitter
from routing.gateway.wires.wire import read_json

STRUCTURED: Final = "structured"
GUESSED: Final = "guessed"
_HOLD: Final = 32 * 1024 * 1024
_STOPS: Final = frozenset({"refusal", "content_filter", "safety"})
_LONGEST: Final = 600
_PHRASES: Final = re.compile(
    r"^\W{0,3}(i(?:['\u2019]m| am) (?:sorry|unable)|sorry|"
    r"i (?:can(?:no|['\u2019])t|am not able|won['\u2019]t)|"
    r"i (?:must|have to) (?:decline|refuse)|unfortunately,? i|as an ai\b|"
    r"es tut mir leid|ich kann (?:dir|ihnen|das|dabei)?\s?nicht|je (?:ne peux|suis désolé)|"
    r"lo siento)",
    re.IGNORECASE,
)


def refusal_in(raw: bytes, answer: Answer) -> str:
    """Return ``structured``, ``guessed``, or nothing."""
    if any(_refuses(document) for document in _documents(raw)):
        return STRUCTURED
    text = answer.text.strip()
    if not answer.calls and len(text) <= _LONGEST and _PHRASES.match(text):
        return GUESSED
    return ""


def _documents(raw: bytes) -> Iterator[dict[str, Any]]:
    whole = read_json(raw)
    if isinstance(whole, dict):
        yield whole
    elif b"data:" in raw:
        for event in EventSplitter(_HOLD).feed(raw if raw.endswith(b"\n\n") else raw + b"\n\n"):
            document = read_json(event.data) if event.data else None
            if isinstance(document, dict):
                yield document


def _refuses(document: dict[str, Any]) -> bool:
    if str(document.get("type", "")).startswith("response.refusal"):
        return True
    response = document.get("response")
    for place in (document, response if isinstance(response, dict) else {}):
        details = place.get("incomplete_details")
        if isinstance(details, dict) and details.get("reason") in _STOPS:
            return True
        if place.get("stop_reason") in _STOPS:
            return True
        if any(part.get("type") == "refusal" for part in _parts(place)):
            return True
    delta = document.get("delta")
    if isinstance(delta, dict) and delta.get("stop_reason") in _STOPS:
        return True
    return any(_choice_refuses(choice) for choice in _dicts(document.get("choices")))


def _choice_refuses(choice: dict[str, Any]) -> bool:
    if choice.get("finish_reason") in _STOPS:
        return True
    for name in ("message", "delta"):
        said = choice.get(name)
        if isinstance(said, dict) and isinstance(said.get("refusal"), str) and said["refusal"]:
            return True
    return False


def _parts(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for item in _dicts(document.get("output")):
        yield from _dicts(item.get("content"))


def _dicts(value: Any) -> list[dict[str, Any]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []
