"""Every refusal the service makes, as facts.

    DomainError
    ├── Invalid           422  the request is understood and wrong
    │   └── Malformed     400  the bytes are not what the wire asks for
    ├── Unauthenticated   401  nobody, or not who they say
    ├── OverBudget        402  a hard cap was reached
    ├── Denied            403  known, and not allowed (or not without approval)
    ├── NotFound          404  absent, or not visible to this viewer: the same answer
    ├── Conflict          409  the state has moved on (never on the gateway: clients retry it)
    ├── TooLarge          413  more bytes than the wire takes
    ├── Throttled         429  slow down
    └── Unavailable       503  cannot be governed right now, so it does not happen

A family owns the status, a leaf owns its code and its facts. Facts are plain values
safe to show: never a secret, a key, a header or a body.
"""

from __future__ import annotations

from typing import ClassVar


class DomainError(Exception):
    """A refusal with a stable code, an HTTP status and facts that are safe to show."""

    status: ClassVar[int] = 500
    code: ClassVar[str] = "kernel.error"
    title: ClassVar[str] = "The request could not be carried out"

    def __init__(self, detail: str = "", **facts: object) -> None:
        self.detail = detail or self.title
        self.facts = facts
        super().__init__(self.detail)


class Invalid(DomainError):
    """The request is understood and wrong; says which field and what to do."""

    status = 422
    code = "kernel.invalid"
    title = "The request is not valid"


class Malformed(Invalid):
    """The bytes are not what the wire asks for (JSON, encoding, framing)."""

    status = 400
    code = "kernel.malformed"
    title = "The request could not be read"


class Unauthenticated(DomainError):
    """No credential, or one that does not hold."""

    status = 401
    code = "kernel.unauthenticated"
    title = "Sign in, or present a valid credential"


class OverBudget(DomainError):
    """A hard cap on cost was reached."""

    status = 402
    code = "kernel.over_budget"
    title = "The budget is used up"


class Denied(DomainError):
    """The caller is known and may not do this; names the rule that denied."""

    status = 403
    code = "kernel.denied"
    title = "This is not allowed"


class NotFound(DomainError):
    """Absent or invisible: the same answer for both."""

    status = 404
    code = "kernel.not_found"
    title = "There is no such thing, or you may not see it"


class Conflict(DomainError):
    """The state has moved on since the caller looked."""

    status = 409
    code = "kernel.conflict"
    title = "The state has changed"


class TooLarge(DomainError):
    """More bytes than this door takes."""

    status = 413
    code = "kernel.too_large"
    title = "The request is too large"


class Throttled(DomainError):
    """Too many requests; carries when to come back, in seconds."""

    status = 429
    code = "kernel.throttled"
    title = "Too many requests"


class Unavailable(DomainError):
    """Cannot be governed or recorded right now, so it does not happen."""

    status = 503
    code = "kernel.unavailable"
    title = "Not available right now"
