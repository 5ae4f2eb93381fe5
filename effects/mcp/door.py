"""The door of /mcp: whose key, from which page, how large. Nothing behind it is reached without.

An address that a browser was led to (DNS rebinding) has a host that is not ours; a page of
somebody else sends its origin. Both are refused before the key is looked at, and the key
before the SDK is loaded.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final
from urllib.parse import urlsplit

from asgiref.sync import sync_to_async
from django.conf import settings
from django.db import connections
from django.http.request import split_domain_port, validate_host

from kernel.api import problem
from kernel.errors import Denied, DomainError, TooLarge, Unauthenticated
from registry.errors import authentication as refused
from registry.last_use import note_use
from registry.models import AgentKey
from registry.queries import credentials

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

PATH: Final = "/mcp"
MOST_BYTES: Final = 1024 * 1024


class ForeignOrigin(Denied):
    """Raised when a page of another origin, or under another host, would speak MCP."""

    code = "effects.foreign_origin"
    title = "This address is not spoken to from there"


class MCPDoor:
    """Lets agents through to MCP, and everything else on to the application beside it."""

    def __init__(self, beside: Callable[[Scope, Receive, Send], Awaitable[None]]) -> None:
        self._beside = beside
        self._behind: _Behind | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"].rstrip("/") != PATH:
            await self._beside(scope, receive, send)
            return
        try:
            headers = _headers(scope)
            _check_place(headers)
            _check_size(headers)
            key = await sync_to_async(_key_of, thread_sensitive=False)(headers)
        except DomainError as error:
            await _refuse(error, send)
            return
        from effects.mcp.server import KEY

        manager = await self._opened().manager()
        # The key stays here: what the SDK may log of a request does not hold it.
        passed = [pair for pair in scope["headers"] if pair[0].lower() != b"authorization"]
        await manager.handle_request({**scope, "headers": passed, KEY: key}, receive, send)

    def _opened(self) -> _Behind:
        # A server that begins anew in this process has a loop of its own.
        loop = asyncio.get_running_loop()
        if self._behind is None or self._behind.loop is not loop:
            self._behind = _Behind(loop)
        return self._behind


class _Behind:
    """The SDK's session manager in one event loop, made when it is first needed."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self._making = asyncio.Lock()
        self._made: Any = None
        self._runs: asyncio.Task[None] | None = None  # held: a task that nobody holds may end

    async def manager(self) -> Any:
        async with self._making:
            if self._made is None:
                manager = await asyncio.to_thread(_made)
                ready = asyncio.Event()
                self._runs = asyncio.create_task(_run(manager, ready))
                await ready.wait()
                self._made = manager
            return self._made


def _made() -> Any:
    from effects.mcp.server import make_manager

    return make_manager(MOST_BYTES)


async def _run(manager: Any, ready: asyncio.Event) -> None:
    async with manager.run():
        ready.set()
        await asyncio.Event().wait()


def _headers(scope: Scope) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, value in scope["headers"]:
        text = name.decode("latin-1").lower()
        if text in found and text in {"host", "origin", "authorization", "content-length"}:
            raise ForeignOrigin(f"The header {text} came twice.")
        found[text] = value.decode("latin-1")
    return found


def _check_place(headers: dict[str, str]) -> None:
    """Raises: ForeignOrigin."""
    host, _ = split_domain_port(headers.get("host", ""))
    if not host or not validate_host(host, settings.ALLOWED_HOSTS):
        raise ForeignOrigin("The host of this request is not one of this service's.")
    origin = headers.get("origin")
    if origin is None:
        return
    asked, ours = urlsplit(origin), urlsplit(settings.PUBLIC_URL)
    if (asked.scheme, asked.netloc.lower()) != (ours.scheme, ours.netloc.lower()):
        raise ForeignOrigin("Pages of other origins do not speak MCP here.")


def _check_size(headers: dict[str, str]) -> None:
    """Raises: TooLarge. A body without a length is counted by the SDK, to the same end."""
    length = headers.get("content-length", "0")
    if not length.isdecimal() or int(length) > MOST_BYTES:
        raise TooLarge(f"The body has more than {MOST_BYTES} bytes.", limit_bytes=MOST_BYTES)


def _key_of(headers: dict[str, str]) -> AgentKey:
    """Raises: Unauthenticated, PersonTokenNotTakenHere, and what a key is refused for."""
    scheme, _, text = headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not text.strip():
        raise Unauthenticated("Send the agent's key: Authorization: Bearer usp_…")
    if not text.strip().startswith("usp_"):
        raise refused.PersonTokenNotTakenHere
    try:
        key = credentials.agent_key_for(text.strip())
        note_use(key)
        return key
    finally:
        for connection in connections.all(initialized_only=True):
            if not connection.in_atomic_block:
                connection.close()


async def _refuse(error: DomainError, send: Send) -> None:
    body = json.dumps(problem(error, instance=PATH)).encode()
    headers = [
        (b"content-type", b"application/problem+json"),
        (b"content-length", str(len(body)).encode()),
        (b"x-unsprawl-error", error.code.encode()),
        (b"cache-control", b"no-store"),
    ]
    if error.status == 401:
        headers.append((b"www-authenticate", b'Bearer realm="unsprawl"'))
    await send({"type": "http.response.start", "status": error.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
