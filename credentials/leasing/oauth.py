"""Asking a token endpoint for a short token, and giving one back.

Client credentials (RFC 6749 §4.4) and token exchange (RFC 8693), as the client that the
connection names. Answers are read strictly: anything but a plain bearer token with an end is
no token. What an endpoint says beyond a few registered words is repeated nowhere.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Self
from urllib.parse import quote_plus, urlencode

from credentials.broker import SecretText
from credentials.egress import Answer, GuardedClient
from credentials.errors import AddressRefused, FetchFailed, NotLent
from credentials.leasing.signing import Signer
from credentials.leasing.terms import Reader, invalid
from kernel.canonical import NotJSON

EXCHANGE: Final = "urn:ietf:params:oauth:grant-type:token-exchange"
ASSERTION: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_TYPES: Final = {
    name: f"urn:ietf:params:oauth:token-type:{name}" for name in ("jwt", "access_token", "id_token")
}
_AUTH: Final = ("basic", "post", "private_key_jwt", "none")
_B64TOKEN: Final = re.compile(r"[A-Za-z0-9\-._~+/]+=*")  # RFC 6750 §2.1
_SCOPE: Final = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]+(?: [\x21\x23-\x5b\x5d-\x7e]+)*")
_LONGEST_TOKEN: Final = 8192
_LONGEST_SECONDS: Final = 24 * 3600
# RFC 6749 §5.2, RFC 8693 §2.2.2, RFC 7009 §2.2.1; everything else is "refused".
_REGISTERED: Final = frozenset(
    {"invalid_request", "invalid_client", "invalid_grant", "unauthorized_client",
     "unsupported_grant_type", "invalid_scope", "invalid_target", "unsupported_token_type"}
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Token:
    """A bearer token in memory, and how long it lives."""

    text: SecretText
    seconds: int


@dataclass(frozen=True, slots=True)
class OAuthTerms:
    """The token endpoint, who we are to it, and what is asked for."""

    token_url: str
    client_id: str
    auth: str
    scope: str
    audience: str
    resource: str
    revocation_url: str
    key_id: str
    issuer: str
    subject: str  # "" without exchange; "agent", or "secret" where the secret is the token
    subject_type: str
    actor: str  # who acts for the subject, where the endpoint is to know
    allow_private: bool = field(default=False)

    @classmethod
    def read(
        cls, settings: Mapping[str, Any], *, exchanges: bool, allow_private: bool = False
    ) -> Self:
        """Raises: CredentialSettingsInvalid, AddressRefused."""
        reader = Reader(settings)
        client_id = reader.text("client_id")
        subject = (
            reader.choice("subject", ("agent", "secret"), default="agent") if exchanges else ""
        )
        usual = "private_key_jwt" if subject == "agent" else "none" if subject else "basic"
        found = cls(
            token_url=reader.text("token_url", longest=2048),
            client_id=client_id,
            auth=reader.choice("auth", _AUTH, default=usual),
            scope=reader.text("scope", default="", longest=1000),
            audience=reader.text("audience", default="", longest=1000),
            resource=reader.text("resource", default="", longest=2048),
            revocation_url=reader.text("revocation_url", default="", longest=2048),
            key_id=reader.text("key_id", default=""),
            issuer=reader.text("issuer", default=client_id),
            subject=subject,
            subject_type=reader.choice("subject_type", tuple(_TYPES), default="jwt")
            if exchanges
            else "",
            actor=reader.text("actor", default="") if exchanges else "",
            allow_private=allow_private,
        )
        reader.done()
        found._check()
        return found

    def _check(self) -> None:
        if self.scope and not _SCOPE.fullmatch(self.scope):
            raise invalid("scope", "give words with single spaces between them.")
        if self.subject == "agent" and self.auth != "private_key_jwt":
            raise invalid("auth", "an agent's token is signed: use private_key_jwt.")
        if self.subject == "secret" and (self.auth != "none" or self.actor):
            raise invalid("auth", "where the secret is the token, there is none for the client.")
        if not self.subject and self.auth == "none":
            raise invalid("auth", "a client without a credential gets no token.")
        for url in filter(None, (self.token_url, self.revocation_url)):
            self.client().check(url)

    def client(self) -> GuardedClient:
        return GuardedClient(allow_private=self.allow_private)


def fetch_token(terms: OAuthTerms, secret: SecretText, *, agent_id: str) -> Token:
    """Ask for a token. Raises: NotLent."""
    form: dict[str, str] = {"grant_type": EXCHANGE if terms.subject else "client_credentials"}
    for name in ("scope", "audience", "resource"):
        if value := getattr(terms, name):
            form[name] = value
    if terms.subject:
        form |= _subject(terms, secret, agent_id)
    answer = _post(terms, terms.token_url, form, secret)
    if answer.status != 200:
        raise NotLent(reason=_refusal(answer))
    return _token(terms, answer)


def revoke_token(terms: OAuthTerms, secret: SecretText, token: SecretText) -> str | None:
    """Give a token back (RFC 7009); None when it is dead, else why not."""
    form = {"token": token.reveal(), "token_type_hint": "access_token"}
    try:
        answer = _post(terms, terms.revocation_url, form, secret)
    except NotLent as failed:
        return str(failed.facts["reason"])
    return None if answer.status == 200 else _refusal(answer)


def _subject(terms: OAuthTerms, secret: SecretText, agent_id: str) -> dict[str, str]:
    form = {"subject_token_type": _TYPES[terms.subject_type]}
    form["requested_token_type"] = _TYPES["access_token"]
    if terms.subject == "secret":
        return form | {"subject_token": secret.reveal()}
    signer = Signer.of(secret, terms.key_id)
    claims = {"issuer": terms.issuer, "audience": terms.token_url}
    form["subject_token"] = signer.sign(subject=agent_id, **claims)
    if terms.actor:
        form["actor_token"] = signer.sign(subject=terms.actor, **claims)
        form["actor_token_type"] = _TYPES["jwt"]
    return form


def _post(terms: OAuthTerms, url: str, form: dict[str, str], secret: SecretText) -> Answer:
    headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
    match terms.auth:
        case "basic":
            # Each half is form-encoded before they are joined (RFC 6749 §2.3.1).
            pair = f"{quote_plus(terms.client_id)}:{quote_plus(secret.reveal())}".encode()
            headers["Authorization"] = f"Basic {base64.b64encode(pair).decode()}"
        case "post":
            form = form | {"client_id": terms.client_id, "client_secret": secret.reveal()}
        case "private_key_jwt":
            who = {"issuer": terms.client_id, "subject": terms.client_id}
            signed = Signer.of(secret, terms.key_id).sign(audience=terms.token_url, **who)
            form = form | {"client_assertion_type": ASSERTION, "client_assertion": signed}
        case _:
            form = form | {"client_id": terms.client_id}
    try:
        return terms.client().post(url, urlencode(form).encode(), headers=headers)
    except AddressRefused:
        raise NotLent(reason="address") from None
    except FetchFailed as failed:
        raise NotLent(reason=str(failed.facts["reason"])) from None


def _refusal(answer: Answer) -> str:
    if answer.status >= 500 or answer.status == 429:
        return "unavailable"
    try:
        said = answer.json()
    except NotJSON:
        return "refused"
    word = said.get("error") if isinstance(said, dict) else None
    return word if isinstance(word, str) and word in _REGISTERED else "refused"


def _token(terms: OAuthTerms, answer: Answer) -> Token:
    kind = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
    try:
        said = answer.json() if kind == "application/json" else None
    except NotJSON:
        said = None
    if not isinstance(said, dict):
        raise NotLent(reason="answer")
    text, seconds = said.get("access_token"), said.get("expires_in")
    is_read = (
        isinstance(text, str)
        and len(text) <= _LONGEST_TOKEN
        and _B64TOKEN.fullmatch(text) is not None
        and str(said.get("token_type", "")).lower() == "bearer"
        and type(seconds) is int
        and 1 <= seconds <= _LONGEST_SECONDS
        and _is_no_wider(terms.scope, said.get("scope"))
        and (not terms.subject or said.get("issued_token_type") == _TYPES["access_token"])
    )
    if not is_read:
        raise NotLent(reason="answer")
    return Token(SecretText(str(text)), int(str(seconds)))


def _is_no_wider(asked: str, granted: object) -> bool:
    if granted is None:  # as asked (RFC 6749 §5.1)
        return True
    return isinstance(granted, str) and (not asked or set(granted.split()) <= set(asked.split()))
