"""What an HTTP answer says about an effect.

=============================  =================================================================
2xx                            done; the reference is what the template's pointer leads to
307, 308                       surely not done: no redirect is followed
other 3xx                      not known: 303 is what some send after they did it
425, 429                       surely not done; tried again after Retry-After
408, other statuses, 5xx       not known
409                            not known where a key was sent: it may be our own first request
other 4xx                      surely not done
no connection, no name, TLS    surely not done; tried again
anything after the first byte  not known
=============================  =================================================================
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Any, Final

from credentials.egress import Answer
from credentials.errors import FetchFailed
from effects.adapters.adapter import Ending, Sent
from effects.adapters.filling import ABSENT, resolved
from kernel import clock
from kernel.canonical import NotJSON

SOON: Final = 5.0
LONGEST_PAUSE: Final = 3600.0
_LONGEST_REFERENCE: Final = 200
_SECONDS: Final = re.compile(r"[0-9]{1,9}")


def after_status(answer: Answer, reference: str = "", *, has_key: bool) -> Sent:
    """Say how a request ended whose answer came whole."""
    ending = ending_of(answer.status, has_key=has_key)
    pause = retry_after(answer.headers)
    if answer.status in {425, 429}:
        pause = pause or SOON
    elif ending is Ending.NOT_DONE:
        pause = None
    found = reference_in(answer, reference) if ending is Ending.DONE else ""
    return Sent(ending, f"http:{answer.status}", found, pause)


def after_failure(error: FetchFailed, *, has_key: bool) -> Sent:
    """Say how a request ended that got no whole answer."""
    if not error.began:
        return Sent(Ending.NOT_DONE, f"unsent:{error.facts.get('reason', '')}", "", SOON)
    if error.answered is not None:  # the body broke off, and the status said it already
        ending = ending_of(error.answered, has_key=has_key)
        pause = SOON if error.answered in {425, 429} else None
        return Sent(ending, f"http:{error.answered}", "", pause)
    return Sent(Ending.UNKNOWN, f"no_answer:{error.facts.get('reason', '')}")


def ending_of(status: int, *, has_key: bool) -> Ending:
    """Say what a status means for an effect."""
    if 200 <= status < 300:
        return Ending.DONE
    if status in {307, 308}:
        return Ending.NOT_DONE
    if 400 <= status < 500 and status != 408 and not (status == 409 and has_key):
        return Ending.NOT_DONE
    return Ending.UNKNOWN


def looked_up(answer: Answer, lookup: Mapping[str, Any], wanted: object) -> Sent:
    """Say what a look-up found."""
    if answer.status in {404, 410}:
        return Sent(Ending.NOT_DONE, f"lookup:{answer.status}")
    if answer.status != 200:
        return Sent(Ending.UNKNOWN, f"lookup:{answer.status}", "", retry_after(answer.headers))
    try:
        document = answer.json()
    except NotJSON:
        return Sent(Ending.UNKNOWN, "lookup:not_json")
    found = resolved(document, lookup["done"]["pointer"])
    if found is not ABSENT and type(found) is type(wanted) and found == wanted:
        return Sent(Ending.DONE, "lookup:found", reference_in(answer, lookup.get("reference", "")))
    return Sent(Ending.NOT_DONE, "lookup:absent")


def reference_in(answer: Answer, pointer: str) -> str:
    """Return what the other side calls the thing it made; content is never kept."""
    if not pointer:
        return ""
    try:
        found = resolved(answer.json(), pointer)
    except NotJSON:
        return ""
    if isinstance(found, bool) or not isinstance(found, str | int):
        return ""
    text = str(found)[:_LONGEST_REFERENCE]
    return text if text.isprintable() else ""


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Read Retry-After (RFC 9110 §10.2.3): seconds or a date; None where it is neither."""
    text = headers.get("retry-after", "").strip()
    if _SECONDS.fullmatch(text):
        return min(float(text), LONGEST_PAUSE)
    try:
        at = parsedate_to_datetime(text)
    except (ValueError, TypeError):
        return None
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    return min(max((at - clock.now()).total_seconds(), 0.0), LONGEST_PAUSE)
