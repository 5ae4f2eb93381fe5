"""What the lending of credentials refuses, as facts.

    Invalid       SecretNotUsable · AddressRefused · CredentialSettingsInvalid
    Denied        LeaseRefused
    NotFound      SecretNotFound · LeaseNotFound
    Conflict      RotationUnderWay · LeaseOver
    Unavailable   FetchFailed · SecretsClosed · NotLent

No Django: the gateway raises some of them.
"""

from __future__ import annotations

from kernel.errors import Conflict, Denied, Invalid, NotFound, Unavailable


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


class CredentialSettingsInvalid(Invalid):
    """Raised when settings of a credential cannot be meant; ``field`` names the member."""

    code = "credentials.settings_invalid"
    title = "The settings of this credential are not valid"


class LeaseRefused(Denied):
    """Raised when an agent may hold nothing now: it is stopped, suspended or retired."""

    code = "credentials.lease_refused"
    title = "Nothing is lent to this agent now"


class LeaseNotFound(NotFound):
    """Raised when there is no such lease, or not for this viewer."""

    code = "credentials.lease_not_found"
    title = "There is no such lease"


class LeaseOver(Conflict):
    """Raised when a lease that is to be revoked is dead already."""

    code = "credentials.lease_over"
    title = "This lease is over"


class SecretsClosed(Unavailable):
    """Raised in a process that may seal the secrets of tools and not open them."""

    code = "credentials.secrets_closed"
    title = "This process may not open secrets"


class NotLent(Unavailable):
    """Raised when a credential could not be made; ``reason`` is one of a fixed list."""

    code = "credentials.not_lent"
    title = "The credential could not be made"
