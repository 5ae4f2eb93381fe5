"""A vendor's error said as the other dialect's clients parse one.

Owns the shape alone: the status stays, and so does every word of the vendor's message.
"""

from __future__ import annotations

from typing import Any

Shape = dict[str, Any]


def fault_in(document: Any) -> tuple[str, str]:
    """Return what a vendor's error says and the type it gives, in whichever dialect."""
    if isinstance(document, list) and document:  # as Gemini's interface for OpenAI clients has it
        document = document[0]
    error = document.get("error") if isinstance(document, dict) else None
    if isinstance(error, dict):
        message, kind = error.get("message"), error.get("type") or error.get("code")
    else:
        message, kind = error, None
        if error is None and isinstance(document, dict):
            message, kind = document.get("message") or document.get("detail"), document.get("type")
    said = message if isinstance(message, str) else "" if message is None else repr(message)
    return said, kind if isinstance(kind, str) else ""


def fault_for_chat(document: Any, said: str = "") -> Shape:
    """Return an error as OpenAI's clients read it."""
    message, kind = fault_in(document)
    code = None
    if isinstance(document, dict) and isinstance(document.get("error"), dict):
        code = document["error"].get("code")
    return {
        "error": {
            "message": message or said,
            "type": kind or "upstream_error",
            "param": None,
            "code": code if isinstance(code, str) else kind or None,
        }
    }


_KINDS = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    422: "invalid_request_error",
    429: "rate_limit_error",
    504: "timeout_error",
    529: "overloaded_error",
}


def fault_for_messages(document: Any, status: int, request_id: str, said: str = "") -> Shape:
    """Return an error as Anthropic's clients read it, with the type its status has there."""
    message, kind = fault_in(document)
    found = _KINDS.get(status) or ("api_error" if status >= 500 or not status else None)
    error = {"type": found or "invalid_request_error", "message": message or said}
    made: Shape = {"type": "error", "error": error}
    if request_id:
        made["request_id"] = request_id
    if kind and kind != error["type"]:
        error["upstream_type"] = kind
    return made
