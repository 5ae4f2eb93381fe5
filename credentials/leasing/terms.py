"""The settings of a credential, read strictly: what may be configured, and nothing else.

No secret is among them. Every reader names the member that cannot be meant, so that a form
and the API say the same.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Self

from cryptography.x509 import load_pem_x509_certificates

from credentials.errors import CredentialSettingsInvalid

_TOKEN: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,60}")  # RFC 9110 §5.6.2
_SCHEME: Final = re.compile(r"[A-Za-z][A-Za-z0-9._~+/-]{0,30}")
# What frames a request, or says for whom it is: never a place for a credential.
_TAKEN: Final = frozenset(
    {"host", "content-length", "transfer-encoding", "connection", "te", "upgrade", "cookie",
     "content-type", "accept-encoding", "expect", "trailer", "idempotency-key"}
)  # fmt: skip
_PLACES: Final = ("header", "basic", "password")


def invalid(field: str, words: str) -> CredentialSettingsInvalid:
    """Make the refusal of one member."""
    return CredentialSettingsInvalid(f"{field}: {words}", field=field)


class Reader:
    """Takes members out of settings one by one; what is left over at the end is a mistake."""

    def __init__(self, settings: Mapping[str, Any]) -> None:
        if not isinstance(settings, Mapping):
            raise invalid("settings", "give an object.")
        self._left = dict(settings)

    def text(self, name: str, *, default: str | None = None, longest: int = 300) -> str:
        value = self._left.pop(name, default)
        if value is None:
            raise invalid(name, "is missing.")
        if not isinstance(value, str) or len(value) > longest or not value.isprintable():
            raise invalid(name, f"give a text of at most {longest} printable characters.")
        if value != value.strip() or (not value and default is None):
            raise invalid(name, "give a text without spaces around it.")
        return value

    def choice(self, name: str, choices: tuple[str, ...], *, default: str | None = None) -> str:
        value = self.text(name, default=default)
        if value not in choices:
            raise invalid(name, f"is one of {', '.join(choices)}.")
        return value

    def number(self, name: str, *, default: int, least: int, most: int) -> int:
        value = self._left.pop(name, default)
        if type(value) is not int or not least <= value <= most:
            raise invalid(name, f"give a whole number from {least} to {most}.")
        return value

    def pem(self, name: str) -> str:
        """Take certificates as PEM; none is an empty text."""
        value = self._left.pop(name, "")
        if not isinstance(value, str) or len(value) > 50_000:
            raise invalid(name, "give certificates as PEM.")
        if value:
            try:
                load_pem_x509_certificates(value.encode())
            except ValueError:
                raise invalid(name, "give certificates as PEM.") from None
        return value

    def items(self, name: str, *, most: int = 50) -> list[Any]:
        value = self._left.pop(name, [])
        if not isinstance(value, list) or len(value) > most:
            raise invalid(name, f"give a list of at most {most}.")
        return value

    def done(self) -> None:
        if self._left:
            name = sorted(map(str, self._left))[0][:60]
            raise invalid(name, "there is no such setting here.")


@dataclass(frozen=True, slots=True)
class StaticTerms:
    """Where a static secret goes: a header, or a session's password. Never an address."""

    place: str = "header"
    header: str = "Authorization"
    scheme: str = "Bearer"
    user: str = ""

    @classmethod
    def read(cls, settings: Mapping[str, Any]) -> Self:
        """Raises: CredentialSettingsInvalid."""
        if settings.get("place") == "query":
            raise invalid(
                "place", "a secret in an address ends up in logs; use a header or a password."
            )
        reader = Reader(settings)
        place = reader.choice("place", _PLACES, default="header")
        header = scheme = user = ""
        if place == "header":
            header = reader.text("header", default="Authorization")
            scheme = reader.text("scheme", default="Bearer" if header == "Authorization" else "")
            if not _TOKEN.fullmatch(header) or header.lower() in _TAKEN:
                raise invalid("header", "name a header that carries nothing else.")
            if scheme and not _SCHEME.fullmatch(scheme):
                raise invalid("scheme", "give one word, such as Bearer or Token.")
        else:
            user = reader.text("user")
            if place == "basic" and ":" in user:
                raise invalid("user", "a user's name has no colon here (RFC 7617).")
        reader.done()
        return cls(place, header, scheme, user)

    def headers(self, secret: str) -> dict[str, str]:
        if self.place == "password":
            return {}
        if self.place == "basic":
            joined = base64.b64encode(f"{self.user}:{secret}".encode()).decode()
            return {"Authorization": f"Basic {joined}"}
        return {self.header: f"{self.scheme} {secret}" if self.scheme else secret}
