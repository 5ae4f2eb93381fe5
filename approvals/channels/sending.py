"""One message on its way: what is sent, and what came of it, in words of our own. No Django.

What a receiver answers is read as far as its format asks and never repeated: a body may hold
whatever its writer likes.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from credentials.egress import Answer, GuardedClient
from credentials.errors import AddressRefused, FetchFailed

SECONDS: Final = 5.0
LONGEST_WAIT_SECONDS: Final = 3600


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one attempt."""

    is_sent: bool
    failure: str = ""
    wait_seconds: int = 0  # the receiver's own wish
    is_gone: bool = False  # it wants nothing more, ever
    place: Mapping[str, Any] = field(default_factory=dict)


Send = Callable[[], Outcome]


def post_json(
    url: str,
    body: Mapping[str, Any],
    *,
    allow_private: bool,
    headers: Callable[[bytes], Mapping[str, str]] | None = None,
    read: Callable[[Answer], Outcome] | None = None,
    seconds: float = SECONDS,
) -> Outcome:
    """Send a document to one vetted address, and read the answer as its format asks."""
    text = json.dumps(body, separators=(",", ":"), ensure_ascii=True).encode()
    given = {"Content-Type": "application/json", **(headers(text) if headers else {})}
    client = GuardedClient(allow_private=allow_private, seconds=seconds)
    try:
        answer = client.post(url, text, headers=given)
    except (AddressRefused, FetchFailed) as error:
        return Outcome(is_sent=False, failure=error.detail)
    if answer.is_ok:
        return read(answer) if read else Outcome(is_sent=True)
    return refused(answer)


def refused(answer: Answer) -> Outcome:
    """Return what an answer without success means."""
    wait = answer.headers.get("retry-after", "")
    seconds = int(wait) if wait.isascii() and wait.isdigit() and len(wait) < 9 else 0
    return Outcome(
        is_sent=False,
        failure=f"It answered {answer.status}.",
        wait_seconds=min(seconds, LONGEST_WAIT_SECONDS),
        is_gone=answer.status == 410,
    )
