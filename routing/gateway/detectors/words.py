"""The few words that an agent says around a call: labels and names, which are recorded too.

Owns that no credential is kept in them, as none is kept of a payload.
"""

from __future__ import annotations

from typing import Final

from routing.gateway.detectors.document import screened_text
from routing.gateway.detectors.rules import SECRETS_ONLY, Tally, rules_for

_RULES: Final = rules_for(SECRETS_ONLY)


def without_credentials(said: str) -> str:
    """Return words as they may be recorded; the same object when there is no secret in them."""
    text = said.encode("utf-8", "surrogatepass")
    if not _RULES.may_hold(text):
        return said
    made = screened_text(text, _RULES, Tally())
    return said if made is text else made.decode("utf-8", "surrogatepass")
