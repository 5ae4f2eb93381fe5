"""The two dialects that clients and vendors speak, as far as they differ beside the calls.

Owns how a refusal of ours looks in each: as the error object that the dialect's own clients
parse, on a status that they do not repeat in vain. ``x-unsprawl-error`` tells ours from a
vendor's. And which headers of an agent's request a vendor of the dialect gets.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import orjson

from kernel.errors import DomainError
from routing.gateway.ports import Headers

_OPENAI_TYPES: Final = {
    401: "authentication_error",
    402: "insufficient_quota",
    403: "permission_error",
    429: "rate_limit_error",
    500: "server_error",
    502: "upstream_error",
    503: "service_unavailable",
    504: "upstream_error",
}
_ANTHROPIC_TYPES: Final = {
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    500: "api_error",
    502: "api_error",
    503: "api_error",
    504: "timeout_error",
}


@dataclass(frozen=True, slots=True)
class Dialect:
    """One of the two. ``prefixes`` and ``names`` are the request headers that may pass."""

    name: str
    types: Mapping[int, str]
    request_id: bytes
    names: tuple[str, ...]
    prefixes: tuple[bytes, ...] = ()

    def error_object(self, error: DomainError) -> dict[str, object]:
        """Return the error as the dialect's clients read one, with our facts beside it."""
        rendered: dict[str, object] = {
            "message": error.detail,
            "type": self.types.get(error.status, "invalid_request_error"),
            "param": error.facts.get("param"),
            "code": wire_code(error),
        }
        for name in ("rule", "entry", "review_url", "budget", "resets_at"):
            if name in error.facts:
                rendered[name] = error.facts[name]
        return rendered

    def error_body(self, error: DomainError, request_id: str) -> bytes:
        """Return the whole body of a refusal."""
        document: dict[str, object] = {"error": self.error_object(error)}
        if self.name == "anthropic":
            document = {"type": "error", **document, "request_id": request_id}
        return orjson.dumps(document, default=str)

    def render(self, error: DomainError, request_id: str = "") -> tuple[int, Headers, bytes]:
        """Return status, headers and body of a refusal of ours."""
        headers: Headers = [
            (b"content-type", b"application/json"),
            (b"x-unsprawl-error", error.code.encode()),
        ]
        if error.status == 401:
            headers.append((b"www-authenticate", b'Bearer realm="unsprawl"'))
        if error.status in {429, 503}:
            wait = error.facts.get("retry_after_seconds", 1)
            headers.append((b"retry-after", str(wait).encode()))
            if "retry_after_ms" in error.facts:
                headers.append((b"retry-after-ms", str(error.facts["retry_after_ms"]).encode()))
        elif error.status < 500:
            # Without this Claude Code tries a wrong key for minutes before it says a word.
            headers.append((b"x-should-retry", b"false"))
        return error.status, headers, self.error_body(error, request_id)


OPENAI: Final = Dialect(
    "openai",
    _OPENAI_TYPES,
    b"x-request-id",
    ("openai-beta", "idempotency-key", "x-client-request-id"),
)
ANTHROPIC: Final = Dialect(
    "anthropic",
    _ANTHROPIC_TYPES,
    b"request-id",
    ("idempotency-key",),
    prefixes=(b"anthropic-",),
)


def wire_code(error: DomainError) -> str:
    """Return the code as clients see it in a body: what they know it by, or without the package."""
    return str(error.facts.get("wire_code") or error.code.partition(".")[2])
