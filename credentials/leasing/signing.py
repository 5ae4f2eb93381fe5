"""Short JWTs that we sign: who we are to a token endpoint, and for which agent we ask.

Three algorithms, each following from the key: EdDSA, ES256, RS256 from 2048 bits. What is
signed lives for a minute, names its audience and is told from every other by its `jti`.
"""

from __future__ import annotations

import base64
import binascii
import json
import secrets
from dataclasses import dataclass, field
from typing import Any, Final, Self

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import load_der_private_key

from credentials.broker import SecretText
from credentials.errors import NotLent
from kernel import clock

SECONDS: Final = 60
_Key = ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


@dataclass(frozen=True, slots=True)
class Signer:
    """A private key in memory, and the name that the other side knows it by."""

    key_id: str
    algorithm: str
    _key: _Key = field(repr=False)

    @classmethod
    def of(cls, secret: SecretText, key_id: str = "") -> Self:
        """Read a key: PKCS #8 in DER, as base64 in one line. Raises: NotLent."""
        try:
            key = load_der_private_key(base64.b64decode(secret.reveal(), validate=True), None)
        except (binascii.Error, ValueError, TypeError, UnsupportedAlgorithm):
            raise NotLent(reason="key") from None
        if isinstance(key, ed25519.Ed25519PrivateKey):
            return cls(key_id, "EdDSA", key)
        if isinstance(key, ec.EllipticCurvePrivateKey) and isinstance(key.curve, ec.SECP256R1):
            return cls(key_id, "ES256", key)
        if isinstance(key, rsa.RSAPrivateKey) and key.key_size >= 2048:
            return cls(key_id, "RS256", key)
        raise NotLent(reason="key")

    def sign(self, *, issuer: str, subject: str, audience: str) -> str:
        """Return a JWT (RFC 7519) for one use."""
        now = int(clock.now().timestamp())
        claims = {
            "iss": issuer, "sub": subject, "aud": audience,
            "iat": now, "exp": now + SECONDS, "jti": secrets.token_urlsafe(16),
        }  # fmt: skip
        header = {"alg": self.algorithm, "typ": "JWT"}
        if self.key_id:
            header["kid"] = self.key_id
        signed = f"{_part(header)}.{_part(claims)}"
        return f"{signed}.{_encoded(self._signature(signed.encode()))}"

    def _signature(self, text: bytes) -> bytes:
        if isinstance(self._key, ed25519.Ed25519PrivateKey):
            return self._key.sign(text)
        if isinstance(self._key, rsa.RSAPrivateKey):
            return self._key.sign(text, padding.PKCS1v15(), hashes.SHA256())
        r, s = decode_dss_signature(self._key.sign(text, ec.ECDSA(hashes.SHA256())))
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")  # RFC 7518 §3.4


def _part(value: dict[str, Any]) -> str:
    return _encoded(json.dumps(value, separators=(",", ":")).encode())


def _encoded(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
