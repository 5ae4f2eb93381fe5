"""One account's answers, page after page; what goes wrong is one of a few sentences.

Bodies and keys are never in an error. A limit of rates is waited for a little; what takes
longer is left to the next time.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlencode

import orjson

from credentials.broker import SecretText
from credentials.egress import Answer, GuardedClient
from fleet.discovery.readers.moments import listed, text
from kernel.errors import Unavailable

MAX_BYTES: Final = 16 * 1024 * 1024
SECONDS: Final = 30.0
MOST_PAGES: Final = 500
_TRIES: Final = 4
_LONGEST_WAIT: Final = 20.0
_REFUSED: Final = {
    401: "The key is not accepted. Connect the source again with one that is.",
    403: "The key may not read this. It must be an admin key of the organisation.",
    404: "The address knows no such page. Is it the API's, with its version?",
}


class PullFailed(Unavailable):
    """Raised when an account could not be read; carries one of a few sentences."""

    code = "fleet.pull_failed"
    title = "The source could not be read"


@dataclass(slots=True)
class Account:
    """An account behind an address, and the key it is read with."""

    base_url: str
    header: str  # which header carries the key
    scheme: str  # what stands before it
    secret: SecretText = field(repr=False)
    more: dict[str, str] = field(default_factory=dict)
    allow_private: bool = False
    most_pages: int = MOST_PAGES
    beat: Callable[[], None] = lambda: None
    sleep: Callable[[float], None] = time.sleep
    pages: int = field(default=0, init=False)  # how many were asked for

    def get(self, path: str, **query: Any) -> dict[str, Any] | list[Any]:
        """Return one page. Raises: PullFailed, AddressRefused, FetchFailed."""
        self.pages += 1
        if self.pages > self.most_pages:
            raise PullFailed(f"It has more than {self.most_pages} pages.")
        self.beat()
        asked = urlencode([(key, value) for key, value in query.items() if value], doseq=True)
        url = f"{self.base_url}{path}" + (f"?{asked}" if asked else "")
        answer = self._ask(url)
        for attempt in range(_TRIES):
            if answer.is_ok:
                return _document(answer)
            if answer.status not in {429, 500, 502, 503, 504, 529}:
                break
            if attempt + 1 < _TRIES:
                self.sleep(_wait(answer, attempt))
                self.beat()
                answer = self._ask(url)
        raise PullFailed(_words(answer.status), status=answer.status)

    def _ask(self, url: str) -> Answer:
        client = GuardedClient(
            allow_private=self.allow_private, max_bytes=MAX_BYTES, seconds=SECONDS
        )
        key = f"{self.scheme} {self.secret.reveal()}".strip()
        return client.get(url, headers={self.header: key, "Accept": "application/json"} | self.more)

    def after_last(self, path: str, cursor: str, **query: Any) -> Iterator[dict[str, Any]]:
        """Yield pages that end with ``has_more`` and are continued after ``last_id``."""
        after, seen = "", set[str]()
        while True:
            page = _object(self.get(path, **query, **{cursor: after}))
            yield page
            after = text(page.get("last_id"), 300)
            if page.get("has_more") is not True or not after:
                return
            _check_new(after, seen)

    def by_token(self, path: str, **query: Any) -> Iterator[dict[str, Any]]:
        """Yield pages that name the next one by a token."""
        token, seen = "", set[str]()
        while True:
            page = _object(self.get(path, **query, page=token))
            yield page
            token = text(page.get("next_page"), 2000)
            if page.get("has_more") is not True or not token:
                return
            _check_new(token, seen)

    def by_number(self, path: str, size: int, **query: Any) -> Iterator[list[dict[str, Any]]]:
        """Yield the rows of numbered pages, whose number of pages may be cut short."""
        number, seen = 1, set[str]()
        while True:
            page = _object(self.get(path, **query, page=number, page_size=size))
            rows = listed(page.get("data"))
            if not rows:
                return
            if first := text(rows[0].get("request_id"), 300):
                _check_new(first, seen)
            yield rows
            last = page.get("total_pages")
            if page.get("total_is_capped") is not True and isinstance(last, int):
                if number >= last:
                    return
            elif len(rows) < size:
                return
            number += 1


def _check_new(place: str, seen: set[str]) -> None:
    # A list that leads back into itself has no end, and what it holds is not known.
    if place in seen:
        raise PullFailed("Its pages lead in a circle; the list has no end.")
    seen.add(place)


def _document(answer: Answer) -> dict[str, Any] | list[Any]:
    try:
        found = orjson.loads(answer.body)
    except orjson.JSONDecodeError:
        raise PullFailed("The answer is not JSON.") from None
    if not isinstance(found, dict | list):
        raise PullFailed("The answer is not a list of anything.")
    return found


def _object(page: dict[str, Any] | list[Any]) -> dict[str, Any]:
    return page if isinstance(page, dict) else {"data": page}


def _wait(answer: Answer, attempt: int) -> float:
    stated = next(
        (value for name, value in answer.headers.items() if name.lower() == "retry-after"), ""
    )
    seconds = float(stated) if stated.isdigit() else 2.0**attempt
    return min(seconds, _LONGEST_WAIT)


def _words(status: int) -> str:
    if status == 429:
        return "It asks for fewer requests; it is read again later."
    return _REFUSED.get(status, f"It answers with status {status}.")
