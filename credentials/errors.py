"""What the lending of credentials refuses, as facts.

    Invalid       SecretNotUsable · AddressRefused
    NotFound      SecretNotFound
    Conflict      RotationUnderWay
    Unavailable   FetchFailed

No Django: the gateway raises some of them.
"""

from __future__ import annotations

from kernel.errors import Conflict, Invalid, NotFound, Unavailable


class SecretNotUsable(Invalid):
    """Raised when a value cannot be a secret; says why, never what was given."""

    code = "credentials.secret_not_usable"
    title = "This value cannot be stored as a secret"


class SecretNotFound(NotFound):
    """Raised when a holder has no current secret; the edge answers 404."""

    code = "credentials.secret_not_found"
    title = "There is no secret here"


class RotationUnderWay(Conflict):
    """Raised when the same ring is already being rotated; the edge answers 409."""

    code = "credentials.rotation_under_way"
    title = "This ring is being rotated already"


class AddressRefused(Invalid):
    """Raised when an address is not one we connect to; ``reason`` is one of a fixed list."""

    code = "credentials.address_refused"
    title = "This address is not one the service connects to"


class FetchFailed(Unavailable):
    """Raised when no usable answer came; ``reason`` is one of a fixed list.

    What an effect needs to know is beside it: whether a byte of the request may have left
    (taken for granted unless somebody knows better), and the status where one arrived.
    """

    code = "credentials.fetch_failed"
    title = "The other side did not answer usefully"

    began: bool = True
    answered: int | None = None
