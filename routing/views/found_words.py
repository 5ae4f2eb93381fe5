"""What data protection found, in words: kinds and numbers, never what it was."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

KIND_WORDS: Final = {
    "secret": ("secret", "secrets"),
    "card": ("card", "cards"),
    "iban": ("IBAN", "IBANs"),
    "email": ("e-mail address", "e-mail addresses"),
    "phone": ("telephone number", "telephone numbers"),
    "national_id": ("national number", "national numbers"),
}
_COUNTED: Final = "counted"
ACTION_WORDS: Final = {"allow": "let through", "redact": "redacted", "block": "blocked"}


def kind_word(kind: str, count: int = 2) -> str:
    """Return the name of a kind for people."""
    return KIND_WORDS.get(kind, (kind, kind))[count != 1]


def found_words(facts: Mapping[str, Any]) -> Iterator[str]:
    """Yield what was found in a call, in its answer, and what the record leaves out."""
    for direction, where in (("request", "in the call"), ("response", "in the answer")):
        said = facts.get(f"found_in_{direction}")
        for one in said if isinstance(said, list) else []:
            kind, _, rest = str(one).partition(":")
            count, _, action = rest.partition(":")
            if count.isdigit():
                done = ACTION_WORDS.get(action, action)
                yield f"{count} {kind_word(kind, int(count))} {where} {done}"
    if type(removed := facts.get("secrets_removed")) is int:
        yield f"{removed} {kind_word('secret', removed)} left out of the record"


def detector_words(said: Mapping[str, Any]) -> dict[str, str]:
    """Return what a route looks for, by direction."""
    words = {}
    for direction, what in (("request", "calls"), ("response", "answers")):
        told = [
            f"{kind_word(kind)} ({_COUNTED if action == 'allow' else ACTION_WORDS.get(action, '')})"
            for kind, action in (said.get(direction) or {}).items()
        ]
        if told:
            words[f"Looks at {what} for"] = ", ".join(told)
    return words
