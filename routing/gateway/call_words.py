"""What a vendor's refusal says of the call: that it is wrong in itself, wherever it is sent.

Owns which refusals those are, as vendors were seen to write them: a body that is no JSON, a
member that is missing or of another type, a tool's answer to no question. Whatever names the
model, a limit of its own or something that it does not take speaks of the model, and what is
not known here is not held against the call: another model may still serve it.
"""

from __future__ import annotations

import re
from typing import Any, Final

from routing.gateway.vendor_words import read_error

_STATUSES: Final = frozenset({400, 422})
_CODES: Final = frozenset(
    {"missing_required_parameter", "invalid_type", "empty_array", "invalid_json", "json_invalid"}
)
_OF_CALL: Final = re.compile(
    r"we could not parse the json body of your request"
    r"|the request body is not valid json"
    r"|missing required (parameter|argument|field)"
    r"|invalid type for '"
    r"|'[\w.\[\]]{1,80}' is a required property"
    r"|\[\] is too short - '"
    r"|[\w.]{1,80}: (field required|at least one message is required|input should be a valid \w+)"
    r"|(an assistant message|messages) with (role )?'tool(_calls)?' must be "
    r"|[\w.]{1,80}: `tool_(use|result)` (ids were found without|blocks? .{0,60}must)",
    re.IGNORECASE,
)
# What a model does not take, or not so much of it: with another one the same call may be right.
_OF_MODEL: Final = re.compile(
    r"\bmodels?\b|support|deprecat|context|maximum|not (available|allowed|permitted|enabled)",
    re.IGNORECASE,
)


def blames_call(http_status: int, document: Any) -> bool:
    """Tell whether an answer says that the call itself is wrong, whoever is asked."""
    if http_status not in _STATUSES:
        return False
    codes, message = read_error(document)
    if _OF_MODEL.search(message):
        return False
    return any(code in _CODES for code in codes) or _OF_CALL.match(message) is not None
