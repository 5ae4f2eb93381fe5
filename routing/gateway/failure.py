"""Why an attempt did not serve, in the words that routes, breakers and the record use."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

from kernel import clock
from kernel.errors import DomainError
from routing.gateway.errors import VendorFault, VendorSlow, VendorUnreachable
from routing.gateway.open_calls import VendorDisabled
from routing.gateway.options import BROKEN, CONNECT, TIMEOUT
from routing.gateway.ports import Headers
from routing.gateway.stops import Stopped

STOPPED: Final = "stopped"
STREAM_ERROR: Final = "stream_error"
# The vendor says that the model itself is not there: asking the same again helps nobody.
NOT_THERE: Final = "not_there"
_LONGEST_WAIT: Final = 86_400.0
_NAMES: Final = frozenset({b"retry-after", b"retry-after-ms"})


@dataclass(frozen=True, slots=True)
class Failure:
    """What went wrong: its kind, a short reason for people, and how long to wait if told."""

    kind: str
    reason: str
    retry_after: float | None = None
    http_status: int = 0
    blames_call: bool = False  # another model would say the same

    @property
    def is_permanent(self) -> bool:
        """Tell whether the same target would only say the same again."""
        return self.kind == NOT_THERE

    @property
    def blames_target(self) -> bool:
        """Tell whether it says that the target is unwell, rather than the call wrong."""
        if self.is_permanent:
            return self.http_status in {404, 410}  # with any other, it may be this call alone
        return self.kind in {CONNECT, TIMEOUT, BROKEN, "429"} or self.kind.startswith("5")


def failure_of(
    error: DomainError | None,
    http_status: int,
    error_code: str,
    headers: Headers,
    said: str = "",
    *,
    blames_call: bool = False,
) -> Failure | None:
    """Say how an attempt failed; None when it did not, or was ended by us.

    ``said`` is what the vendor says of the model itself, ``blames_call`` that it says the call
    is wrong.
    """
    if error is not None:
        return _failure_by(error)
    if said:
        return Failure(NOT_THERE, said, http_status=http_status)
    if http_status >= 400:
        wait = retry_after(headers)
        return Failure(
            str(http_status), f"http_{http_status}", retry_after=wait, blames_call=blames_call
        )
    return Failure(BROKEN, STREAM_ERROR) if error_code else None


def _failure_by(error: DomainError) -> Failure | None:
    match error:
        case VendorUnreachable():
            kind = CONNECT
        case VendorSlow():
            kind = TIMEOUT
        case VendorFault():
            kind = BROKEN
        case VendorDisabled() | Stopped(leaves_others=True):
            kind = STOPPED
        case _:
            return None
    return Failure(kind, error.code.partition(".")[2])


def retry_after(headers: Headers) -> float | None:
    """Return for how many seconds a vendor asks to be left alone; None when it does not say."""
    said = {name: value.decode("latin-1").strip() for name, value in headers if name in _NAMES}
    if (millis := _number(said.get(b"retry-after-ms", ""))) is not None:
        return min(millis / 1000, _LONGEST_WAIT)
    text = said.get(b"retry-after", "")
    if (seconds := _number(text)) is not None:
        return min(seconds, _LONGEST_WAIT)
    return _until(text) if text else None


def _number(text: str) -> float | None:
    if not text.isascii() or len(text) > 20:
        return None
    try:
        value = float(text)
    except ValueError:
        return None
    return value if value >= 0 else None


def _until(text: str) -> float | None:
    try:
        at: datetime = parsedate_to_datetime(text[:60])
    except (ValueError, OverflowError):
        return None
    at = at if at.tzinfo is not None else at.replace(tzinfo=UTC)
    return min(max((at - clock.now()).total_seconds(), 0.0), _LONGEST_WAIT)
