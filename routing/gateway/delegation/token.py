"""The text of a delegation, signed: who acts for whom, in which run, within what, until when.

Owns the format and its check. Claims are those of RFC 8693 §4.1: `sub` is for whom, `act`
who acts, with whoever handed it on inside. The key is derived from the installation's
peppers under a label of its own, so no other signature of ours is a delegation. A text alone
is worth nothing: the agent named in `act` presents it together with its own key.
"""

from __future__ import annotations

import hashlib
import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as NotBase64
from dataclasses import dataclass
from typing import Any, Final

import orjson
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from kernel.errors import Denied
from kernel.keys import PepperRing
from routing.gateway.delegation.rights import Rights

PREFIX: Final = "usd_"
DEEPEST: Final = 5
LONGEST_SECONDS: Final = 3600
LONGEST: Final = 16 * 1024
_LABEL: Final = b"unsprawl/1|delegation"
_VERSION: Final = 1


class DelegationInvalid(Denied):
    """Raised for a text that is no delegation of this installation, whatever is wrong with it."""

    code = "routing.delegation_invalid"
    title = "This is not a delegation that was made here"


@dataclass(frozen=True, slots=True)
class Link:
    """One hand through which a delegation went."""

    delegation_id: str
    agent_id: str  # who handed it on
    run_id: str  # in which of its runs


@dataclass(frozen=True, slots=True)
class Delegation:
    """A delegation that was made here. ``links`` go from the root to whoever gave it last."""

    public_id: str
    holder: str
    links: tuple[Link, ...]
    rights: Rights
    made_at: int
    expires_at: int
    may_return: bool = False

    @property
    def acting_for(self) -> str:
        """The agent at the root."""
        return self.links[0].agent_id

    @property
    def parent_run(self) -> str:
        return self.links[-1].run_id

    @property
    def chain(self) -> tuple[str, ...]:
        """Every agent of it, from the root to the holder."""
        return (*(link.agent_id for link in self.links), self.holder)


class DelegationKeys:
    """The keys that sign delegations, one for each pepper. Its repr shows none."""

    def __init__(self, ring: PepperRing) -> None:
        self._active = ring.active
        self._keys = {name: _derived(pepper) for name, pepper in ring.peppers.items()}

    def __repr__(self) -> str:
        return "DelegationKeys(•••)"

    def signed(self, delegation: Delegation) -> str:
        """Return the text of a delegation."""
        body = _encoded(orjson.dumps(_claims(delegation, self._active)))
        return f"{PREFIX}{body}.{_encoded(self._signature(self._active, body))}"

    def read(self, text: str) -> Delegation:
        """Return what a text says, once its signature holds. Raises: DelegationInvalid."""
        body, dot, signature = text.removeprefix(PREFIX).partition(".")
        if not (text.startswith(PREFIX) and dot and text.isascii() and len(text) <= LONGEST):
            raise DelegationInvalid
        given = _decoded(signature)
        # Every key is tried, so the time taken does not tell which one is in use.
        holds = [hmac.compare_digest(self._signature(name, body), given) for name in self._keys]
        if not any(holds):
            raise DelegationInvalid
        try:
            return _delegation(orjson.loads(_decoded(body)))
        except (orjson.JSONDecodeError, KeyError, TypeError, ValueError, AttributeError):
            raise DelegationInvalid from None

    def _signature(self, name: str, body: str) -> bytes:
        return hmac.digest(self._keys[name], body.encode(), hashlib.sha256)


def _claims(delegation: Delegation, key: str) -> dict[str, Any]:
    act: dict[str, Any] = {}
    for agent in delegation.chain[1:]:
        act = {"sub": f"agent:{agent}"} | ({"act": act} if act else {})
    return {
        "v": _VERSION,
        "kid": key,
        "jti": delegation.public_id,
        "aud": f"agent:{delegation.holder}",
        "sub": f"agent:{delegation.acting_for}",
        "act": act,
        "iat": delegation.made_at,
        "exp": delegation.expires_at,
        "via": [[link.delegation_id, link.agent_id, link.run_id] for link in delegation.links],
        "returns": delegation.may_return,
        **delegation.rights.written(),
    }


def _delegation(claims: dict[str, Any]) -> Delegation:
    if claims["v"] != _VERSION:
        raise ValueError
    return Delegation(
        public_id=claims["jti"],
        holder=claims["aud"].removeprefix("agent:"),
        links=tuple(Link(*link) for link in claims["via"]),
        rights=Rights.read(claims),
        made_at=claims["iat"],
        expires_at=claims["exp"],
        may_return=claims["returns"] is True,
    )


def _derived(pepper: bytes) -> bytes:
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=_LABEL).derive(pepper)


def _encoded(raw: bytes) -> str:
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


def _decoded(text: str) -> bytes:
    try:
        return urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except (NotBase64, ValueError):
        raise DelegationInvalid from None
