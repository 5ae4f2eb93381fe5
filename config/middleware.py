"""What every answer of the web process carries.

Owns the request id, the one log line a request, the content security policy and the
caching rule. A page for somebody signed in is never stored by anything in between.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from typing import Final

import structlog
from django.conf import settings
from django.http import HttpRequest, HttpResponseBase

logger = structlog.get_logger("unsprawl.web")

Answer = Callable[[HttpRequest], HttpResponseBase]

_STRICT: Final = {
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self'",
    "img-src": "'self' data:",
    "font-src": "'self'",
    "connect-src": "'self'",
    "manifest-src": "'self'",
    "form-action": "'self'",
    "base-uri": "'none'",
    "frame-ancestors": "'none'",
}
# The admin's widgets are Alpine expressions and inline styles; the portal has neither.
_ADMIN: Final = _STRICT | {
    "script-src": "'self' 'unsafe-inline' 'unsafe-eval'",
    "style-src": "'self' 'unsafe-inline'",
}
# The viewer of the REST schema sets its own styles.
_VIEWER: Final = _STRICT | {"style-src": "'self' 'unsafe-inline'"}
_LOOSER: Final = {"/admin/": _ADMIN, "/api/v1/docs/": _VIEWER}


def _policy(directives: dict[str, str]) -> str:
    return "; ".join(f"{name} {value}" for name, value in directives.items())


class RequestContext:
    """Names the request in every log line written on its behalf, and writes one at its end."""

    def __init__(self, get_response: Answer) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        request_id = f"req_{secrets.token_hex(12)}"
        started = time.perf_counter()
        with structlog.contextvars.bound_contextvars(request_id=request_id):
            response = self.get_response(request)
            match = request.resolver_match
            if match is None or match.url_name not in {"healthz", "readyz"}:
                logger.info(
                    "request.answered",
                    method=request.method,
                    # The pattern, not the path: paths carry one-time sign-in tokens.
                    route=match.route if match else None,
                    status=response.status_code,
                    milliseconds=round((time.perf_counter() - started) * 1000, 1),
                )
        response["x-request-id"] = request_id
        return response


class BrowserPolicy:
    """Content security policy, and no storing of what only one person may see."""

    def __init__(self, get_response: Answer) -> None:
        self.get_response = get_response
        self.strict = _policy(_STRICT)
        self.looser = {prefix: _policy(directives) for prefix, directives in _LOOSER.items()}

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        chosen = next(
            (policy for prefix, policy in self.looser.items() if request.path.startswith(prefix)),
            self.strict,
        )
        response.headers.setdefault("Content-Security-Policy", chosen)
        response.headers.setdefault(
            "Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()"
        )
        if _is_personal(request, response):
            response.headers.setdefault("Cache-Control", "no-store")
        return response


def _is_personal(request: HttpRequest, response: HttpResponseBase) -> bool:
    return (
        "Authorization" in request.headers
        or settings.SESSION_COOKIE_NAME in request.COOKIES
        or bool(response.cookies)
    )
