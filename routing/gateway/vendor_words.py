"""What a vendor's refusal says of the model itself: that it ended, is closed, or is not there.

Owns the words, as vendors were seen to write them. Such a refusal is permanent: asking the
same again helps nobody. A model that nobody ever had an end for, and that the vendor does not
know, is more likely a name that was typed wrong, and is told apart. A code counts wherever it
stands; words count by themselves only where a vendor says nothing else with that status, so
that what an agent wrote and a vendor repeats is never taken for a vendor's word.
"""

from __future__ import annotations

import re
from typing import Any, Final

RETIRED: Final = "vendor_says_retired"
CLOSED: Final = "vendor_says_closed"
NO_DEPLOYMENT: Final = "vendor_says_no_deployment"
UNKNOWN: Final = "vendor_says_unknown"
SAID: Final = (RETIRED, CLOSED, NO_DEPLOYMENT, UNKNOWN)

_ABSENT: Final = frozenset({404, 410})
_STATUSES: Final = frozenset({400, 403}) | _ABSENT
_ENDED_CODES: Final = frozenset({"modeldeprecated", "servicemodeldeprecated", "model_deprecated"})
_NO_DEPLOYMENT: Final = "deploymentnotfound"
_ABSENT_CODES: Final = frozenset({"model_not_found", "not_found_error", "not_found", "404"})
_CLOSED: Final = re.compile(
    r"marked by provider as legacy|no longer available to new (users|customers|projects)"
    r"|have not been actively using the model",
    re.IGNORECASE,
)
_ENDED: Final = re.compile(
    r"has been (deprecated|retired|shut down|discontinued|removed)"
    r"|reached the end of its life|is deprecated and no longer|is no longer (available|supported)",
    re.IGNORECASE,
)
# Whole messages, for a status that vendors give for many other reasons.
_WHOLE: Final = re.compile(
    r"the requested model '[^'\n]{1,200}' does not exist\.?|invalid model\b[^\n]{0,200}"
    r"|the provided model identifier is invalid\.?",
    re.IGNORECASE,
)
_OF_MODEL: Final = re.compile(r"\bmodels?\b", re.IGNORECASE)
_READ: Final = 2000


def said_of_model(http_status: int, document: Any, *, has_end: bool) -> str:
    """Return what an answer says of the model that was called; empty for anything else."""
    if http_status not in _STATUSES:
        return ""
    code, message = _read(document)
    is_absent, said = http_status in _ABSENT, ""
    if (is_absent or http_status == 403) and _CLOSED.search(message):
        said = CLOSED
    elif code in _ENDED_CODES or (is_absent and _ENDED.search(message)):
        said = RETIRED
    elif code == _NO_DEPLOYMENT:
        said = NO_DEPLOYMENT
    elif _is_unknown(code, message, is_absent=is_absent):
        said = RETIRED if has_end else UNKNOWN
    return said


def _is_unknown(code: str, message: str, *, is_absent: bool) -> bool:
    if code == "model_not_found" or _WHOLE.fullmatch(message):
        return True
    return is_absent and code in _ABSENT_CODES and _OF_MODEL.search(message) is not None


def _read(document: Any) -> tuple[str, str]:
    found, message = read_error(document)
    known = _ENDED_CODES | _ABSENT_CODES | {_NO_DEPLOYMENT}
    code = next((each for each in found if each in known), found[0] if found else "")
    return code, message


def read_error(document: Any) -> tuple[list[str], str]:
    """Return the codes and the message of an error, in any of the vendors' shapes."""
    if isinstance(document, list) and len(document) == 1:
        document = document[0]  # as Gemini's OpenAI interface wraps them
    if not isinstance(document, dict):
        return [], ""
    inner = document.get("error")
    error = inner if isinstance(inner, dict) else document
    codes = (error.get(name) for name in ("code", "status", "type", "__type"))
    found = [str(code).rpartition("#")[2].lower() for code in codes if isinstance(code, str | int)]
    message = next(
        (text for name in ("message", "Message") if isinstance(text := error.get(name), str)),
        inner if isinstance(inner, str) else "",
    )
    return found, message[:_READ].strip()
