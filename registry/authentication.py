"""Who is asking: a token, a session, or an agent's key.

Owns the way from a request to an `Actor`. A credential that is presented and does not
hold is always a refusal, never an anonymous request, and a bearer token outranks a cookie.
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address, ip_network
from typing import Any, Final

from django.conf import settings
from django.contrib.auth.backends import BaseBackend
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework import authentication, exceptions
from rest_framework.request import Request

from kernel import keys
from kernel.errors import Throttled, Unauthenticated
from registry.actions.signin import sign_in
from registry.actors import Actor
from registry.errors import authentication as refused
from registry.last_use import note_use
from registry.models import Agent, AgentKey, Person, PersonToken
from registry.queries import credentials
from registry.queries.people import active_person

AGENT_KEY_START: Final = f"{keys.AGENT_PREFIX}_"


def bearer_of(request: Request) -> str | None:
    """Return the bearer credential; None when the request carries none."""
    scheme, _, text = request.headers.get("Authorization", "").partition(" ")
    return text.strip() if scheme.lower() == "bearer" else None


class TokenAuthentication(authentication.BaseAuthentication):
    """``Authorization: Bearer`` with a person's token (or the operator's bootstrap token)."""

    def authenticate(self, request: Request) -> tuple[Person, PersonToken] | None:
        text = bearer_of(request)
        if text is None:
            return None
        if text.startswith(AGENT_KEY_START):
            raise refused.AgentKeyNotTakenHere(
                "This is an agent's key. Agents call the gateway; here, use a person's token."
            )
        token = credentials.token_for(text)
        note_use(token)
        _remember(request, Actor.by_token(token))
        return token.person, token

    def authenticate_header(self, request: Request) -> str:
        return 'Bearer realm="unsprawl"'


class SessionAuthentication(authentication.SessionAuthentication):
    """A signed-in person's browser; every change must prove that our own page asked for it."""

    def authenticate(self, request: Request) -> tuple[Person, None] | None:
        found = super().authenticate(request)
        if found is None:
            return None
        person = found[0]
        _remember(request, Actor.of(person))
        return person, None

    def enforce_csrf(self, request: Request) -> None:
        try:
            super().enforce_csrf(request)
        except exceptions.PermissionDenied:
            raise refused.CrossSiteRefused(
                "Send the csrf token of the session with a change, or use a bearer token."
            ) from None


@dataclass(frozen=True, slots=True)
class AgentCaller:
    """An agent that presented its key. Not a user: it has no account and no role."""

    agent: Agent
    is_authenticated: bool = True
    is_active: bool = True
    pk: None = None


class AgentKeyAuthentication(authentication.BaseAuthentication):
    """``Authorization: Bearer usp_…`` at the few addresses that agents themselves use."""

    def authenticate(self, request: Request) -> tuple[AgentCaller, AgentKey] | None:
        text = bearer_of(request)
        if text is None:
            return None
        if not text.startswith(AGENT_KEY_START):
            raise refused.PersonTokenNotTakenHere
        key = credentials.agent_key_for(text)
        note_use(key)
        _remember(request, Actor.agent(key.agent.ref))
        return AgentCaller(key.agent), key

    def authenticate_header(self, request: Request) -> str:
        return 'Bearer realm="unsprawl"'


class TokenOrKeyAuthentication(authentication.BaseAuthentication):
    """A person's token, or an agent's own key: where both read the same address."""

    def authenticate(self, request: Request) -> tuple[Any, Any] | None:
        text = bearer_of(request)
        is_agent = text is not None and text.startswith(AGENT_KEY_START)
        by = AgentKeyAuthentication() if is_agent else TokenAuthentication()
        return by.authenticate(request)

    def authenticate_header(self, request: Request) -> str:
        return 'Bearer realm="unsprawl"'


class PasswordBackend(BaseBackend):
    """Django's door for passwords (the admin's form uses it), behind the same brake as ours."""

    def authenticate(
        self,
        request: HttpRequest | None,
        username: str | None = None,
        password: str | None = None,
        **_: Any,
    ) -> Person | None:
        if username is None or password is None or request is None:
            return None
        try:
            return sign_in(username, password, address=address_of(request))
        except (Unauthenticated, Throttled):
            raise PermissionDenied from None  # ends the search; the form says the same for both

    def get_user(self, user_id: int) -> Person | None:
        return active_person(user_id)


class _TokenScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class = "registry.authentication.TokenAuthentication"
    name = "token"

    def get_security_definition(self, auto_schema: object) -> dict[str, str]:
        return {"type": "http", "scheme": "bearer", "description": "A person's API token."}


class _TokenOrKeyScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class = "registry.authentication.TokenOrKeyAuthentication"
    name = "tokenOrAgentKey"

    def get_security_definition(self, auto_schema: object) -> dict[str, str]:
        return {"type": "http", "scheme": "bearer", "description": "A token, or an agent's key."}


class _SessionScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class = "registry.authentication.SessionAuthentication"
    name = "session"

    def get_security_definition(self, auto_schema: object) -> dict[str, str]:
        return {"type": "apiKey", "in": "cookie", "name": "unsprawl"}


class _AgentKeyScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class = "registry.authentication.AgentKeyAuthentication"
    name = "agentKey"

    def get_security_definition(self, auto_schema: object) -> dict[str, str]:
        return {"type": "http", "scheme": "bearer", "description": "An agent's own key."}


def actor_of(request: HttpRequest | Request) -> Actor:
    """Return who acts in this request, with the roles in force. Raises: Unauthenticated."""
    # Reading the user authenticates; only then is it known whether a token narrows the roles.
    user = request.user
    remembered = getattr(request, "actor", None)
    if isinstance(remembered, Actor):
        return remembered
    if not (isinstance(user, Person) and user.is_active):
        raise Unauthenticated
    actor = Actor.of(user)
    _remember(request, actor)
    return actor


def address_of(request: HttpRequest | Request) -> str:
    """Return the network address that asks, as the brake on guessing counts it.

    Behind a proxy it is the last hop that the proxy itself wrote down; without one, the
    header is anybody's claim. Of an IPv6 address the /64 counts: one machine has all of it.
    """
    text = request.META.get("REMOTE_ADDR") or ""
    if settings.SECURE_PROXY_SSL_HEADER:
        forwarded = request.META.get("HTTP_X_FORWARDED_FOR", "").rpartition(",")[2].strip()
        text = forwarded or text
    try:
        address = ip_address(text)
    except ValueError:
        return "unknown"  # a unix socket has no address
    if isinstance(address, IPv6Address):
        address = address.ipv4_mapped or address
    if isinstance(address, IPv6Address):
        return str(ip_network((address, 64), strict=False))
    return str(address)


def _remember(request: HttpRequest | Request, actor: Actor) -> None:
    request.actor = actor  # type: ignore[union-attr]
