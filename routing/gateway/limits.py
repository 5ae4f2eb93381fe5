"""What a vendor's answer says of our limits there, read in passing and told when it differs.

Owns which headers count, which values are believed, and how seldom a process tells of them:
once for each value, and of one model at most once a minute, whatever a vendor makes up.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from routing.gateway.ports import Headers

Said = tuple[bytes, bytes, bytes, bytes]  # requests, tokens, input tokens, output tokens

EVERY: Final = timedelta(minutes=1)
LARGEST: Final = 10**12
_DIGITS: Final = 13
_INPUT, _OUTPUT, _TOKENS = 2, 3, 1
_PLACES: Final = {
    b"x-ratelimit-limit-requests": 0,  # OpenAI, Azure; Groq means a day
    b"x-ratelimit-limit-tokens": _TOKENS,
    b"anthropic-ratelimit-requests-limit": 0,
    b"anthropic-ratelimit-tokens-limit": _TOKENS,
    b"anthropic-ratelimit-input-tokens-limit": _INPUT,
    b"anthropic-ratelimit-output-tokens-limit": _OUTPUT,
    b"x-ratelimit-limit-req-minute": 0,  # Mistral
    b"x-ratelimit-limit-tokens-minute": _TOKENS,
}


def limits_in(headers: Headers) -> Said | None:
    """Return what headers say of limits, as they say it; None where they say nothing."""
    found: list[bytes] | None = None
    for name, value in headers:
        if name in _PLACES:
            if found is None:
                found = [b"", b"", b"", b""]
            found[_PLACES[name]] = value
    if found is None:
        return None
    if found[_INPUT] or found[_OUTPUT]:
        # Anthropic's one for all tokens is whichever of the two is nearer: it says nothing more.
        found[_TOKENS] = b""
    return found[0], found[1], found[2], found[3]


def counted(said: Said) -> tuple[int, int, int, int] | None:
    """Return limits as numbers, 0 where none is believed; None where none is at all."""
    numbers = tuple(_number(value) for value in said)
    return (numbers[0], numbers[1], numbers[2], numbers[3]) if any(numbers) else None


class LimitsTold:
    """What this process has told of each model's limits, and when."""

    def __init__(self) -> None:
        self._told: dict[str, tuple[Said, datetime]] = {}

    def is_news(self, model_id: str, said: Said, now: datetime) -> bool:
        """Tell whether somebody should hear of it; from then on they have."""
        known = self._told.get(model_id)
        if known is not None and (known[0] == said or abs(now - known[1]) < EVERY):
            return False
        self._told[model_id] = said, now
        return True

    def forget(self) -> None:
        """Tell again: it is not known what was written."""
        self._told.clear()


def _number(value: bytes) -> int:
    text = value.strip()
    if not text.isdigit() or len(text) > _DIGITS:
        return 0
    number = int(text)
    return number if number <= LARGEST else 0
