"""What a golden case holds, as it is sealed: the call that is asked, what must come, a note.

The call is a request in the dialect of its operation, without a model: the target says that.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from fleet.evaluations.errors import GoldenInvalid
from fleet.evaluations.expecting.expectations import check_expectation
from kernel.canonical import canonical, strict_loads
from kernel.errors import DomainError
from routing.queries.reevaluations import ASKABLE

MOST_BYTES: Final = 512 * 1024
_ASKS: Final = {"chat": "messages", "messages": "messages", "responses": "input"}
# What is a matter of one delivery, and of no case.
_NOT_KEPT: Final = ("stream", "stream_options", "previous_response_id", "store", "metadata", "user")


@dataclass(frozen=True, slots=True)
class GoldenContent:
    """What is asked and expected."""

    operation: str
    request: Mapping[str, Any] = field(repr=False)
    expects: str
    expected: Mapping[str, Any] = field(repr=False)
    note: str = field(default="", repr=False)

    def sealed(self) -> bytes:
        """Return it as it is sealed, in canonical form."""
        said = {
            "operation": self.operation,
            "request": dict(self.request),
            "expects": self.expects,
            "expected": dict(self.expected),
            "note": self.note,
        }
        return canonical(said)

    def body(self, route: str) -> bytes:
        """Return the request as it is asked."""
        return canonical({"model": route, **self.request})


def read_content(raw: bytes) -> GoldenContent:
    """Read what was sealed. Raises: GoldenInvalid."""
    try:
        said: Any = strict_loads(raw)
        return GoldenContent(
            said["operation"], said["request"], said["expects"], said["expected"], said["note"]
        )
    except (DomainError, KeyError, TypeError):
        raise GoldenInvalid("What is on record is no golden case.") from None


def checked(
    *, operation: str, request: object, expects: str, expected: object, note: str = ""
) -> GoldenContent:
    """Return a golden case if it can be asked and judged. Raises: GoldenInvalid."""
    if operation not in ASKABLE:
        raise GoldenInvalid(f"A case is a call of kind {', '.join(ASKABLE)}.")
    if not isinstance(request, dict):
        raise GoldenInvalid("The request is a JSON object, as the agent would send it.")
    asks = _ASKS[operation]
    kept = {name: value for name, value in request.items() if name not in (*_NOT_KEPT, "model")}
    if not kept.get(asks):
        raise GoldenInvalid(f"The request has no {asks}: say what is asked.")
    if asks == "messages" and not isinstance(kept[asks], list):
        raise GoldenInvalid("messages is a list of objects with role and content.")
    content = GoldenContent(
        operation, kept, expects, check_expectation(expects, expected), note.strip()[:2000]
    )
    try:
        size = len(content.sealed())
    except DomainError as error:
        raise GoldenInvalid(f"The case cannot be kept: {error.detail}") from None
    if size > MOST_BYTES:
        raise GoldenInvalid(f"A case has at most {MOST_BYTES:,} bytes; this one has {size:,}.")
    return content
