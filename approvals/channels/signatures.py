"""Signatures of requests in both directions: Standard Webhooks, and Slack's own. No Django.

A signature is over the bytes as they came, compared in constant time, and good for five
minutes; that it is used once is for whoever stores the request to say.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets
from collections.abc import Iterable
from typing import Final

from credentials.broker import SecretText

TOLERANCE_SECONDS: Final = 300
PREFIX: Final = "whsec_"
_LONGEST_HEADER: Final = 4096


def new_signing_secret() -> str:
    """Return a fresh secret as Standard Webhooks writes them."""
    return PREFIX + base64.b64encode(secrets.token_bytes(32)).decode()


def is_signing_secret(text: str) -> bool:
    """Say whether a text is a secret of 24 to 64 bytes as Standard Webhooks writes them."""
    try:
        key = base64.b64decode(text.removeprefix(PREFIX), validate=True)
    except (binascii.Error, ValueError):
        return False
    return text.startswith(PREFIX) and 24 <= len(key) <= 64


def sign(keys: Iterable[SecretText], ident: str, at: int, body: bytes) -> str:
    """Sign a request with every secret in force, the newest first."""
    return " ".join(f"v1,{_standard(key, ident, str(at), body)}" for key in keys)


def is_signed(
    keys: Iterable[SecretText], ident: str, at: str, body: bytes, given: str, *, now: float
) -> bool:
    """Say whether one of the secrets signed exactly these bytes a moment ago."""
    if not ident or len(ident) > 200 or len(given) > _LONGEST_HEADER or not is_recent(at, now):
        return False
    offered = [part.removeprefix("v1,") for part in given.split() if part.startswith("v1,")]
    # Every pair is compared: neither the time nor the order says which one came near.
    found = False
    for key in keys:
        wanted = _standard(key, ident, at, body)
        for each in offered:
            found |= hmac.compare_digest(wanted.encode(), each.encode("utf-8", "replace"))
    return found


def is_signed_by_slack(
    keys: Iterable[SecretText], at: str, body: bytes, given: str, *, now: float
) -> bool:
    """Say whether Slack signed exactly these bytes a moment ago (scheme v0)."""
    if len(given) > _LONGEST_HEADER or not is_recent(at, now):
        return False
    found = False
    for key in keys:
        base = b"v0:" + at.encode() + b":" + body
        wanted = "v0=" + hmac.new(key.reveal().encode(), base, hashlib.sha256).hexdigest()
        found |= hmac.compare_digest(wanted.encode(), given.encode("utf-8", "replace"))
    return found


def is_recent(at: str, now: float) -> bool:
    """Say whether a stamp (seconds, as digits) is at most five minutes from now, either way."""
    if not (at.isascii() and at.isdigit() and len(at) <= 12):
        return False
    return abs(now - int(at)) <= TOLERANCE_SECONDS


def _standard(key: SecretText, ident: str, at: str, body: bytes) -> str:
    base = f"{ident}.{at}.".encode() + body
    raw = base64.b64decode(key.reveal().removeprefix(PREFIX))
    return base64.b64encode(hmac.digest(raw, base, hashlib.sha256)).decode()
