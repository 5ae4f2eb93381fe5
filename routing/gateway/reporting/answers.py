"""How reports are answered: problem documents for REST, OTLP's own messages for exporters.

Owns what an exporter is told. It looks at the status and at Retry-After, and tells its people
what the message says; spans that were not taken are counted, not hidden.
"""

from __future__ import annotations

from typing import Final

import orjson

from kernel.errors import DomainError
from routing.gateway.dialects import OPENAI, Dialect
from routing.gateway.ports import Headers

PROTOBUF: Final = b"application/x-protobuf"
JSON: Final = b"application/json"
_PROBLEM: Final = b"application/problem+json"
# google.rpc.Code, by our status.
_CODES: Final = {400: 3, 401: 16, 403: 7, 404: 5, 413: 3, 415: 3, 429: 8, 500: 13, 503: 14}


class Problems(Dialect):
    """RFC 9457, as every address under /api/v1/ answers."""

    def render(self, error: DomainError, request_id: str = "") -> tuple[int, Headers, bytes]:
        status, headers, _ = super().render(error, request_id)
        document = {
            "type": f"https://unsprawl.dev/errors#{error.code}",
            "title": error.title,
            "status": error.status,
            "detail": error.detail,
            "code": error.code,
        }
        facts = {name: value for name, value in error.facts.items() if name not in document}
        return status, _typed(headers, _PROBLEM), orjson.dumps(document | facts, default=str)


class Exporters(Dialect):
    """google.rpc.Status, in the encoding that was spoken."""

    def render(self, error: DomainError, request_id: str = "") -> tuple[int, Headers, bytes]:
        status, headers, _ = super().render(error, request_id)
        code, message = _CODES.get(status, 2), f"{error.code}: {error.detail}"
        if self.name == "otlp-json":
            body = orjson.dumps({"code": code, "message": message})
            return status, _typed(headers, JSON), body
        return status, _typed(headers, PROTOBUF), _number(1, code) + _text(2, message)


PROBLEMS: Final = Problems("problem", OPENAI.types, OPENAI.request_id, ())
OTLP_JSON: Final = Exporters("otlp-json", OPENAI.types, OPENAI.request_id, ())
OTLP_PROTOBUF: Final = Exporters("otlp-protobuf", OPENAI.types, OPENAI.request_id, ())


def exported(rejected: int, why: str, *, is_json: bool) -> tuple[Headers, bytes]:
    """Return the answer to a batch that was taken, but for so many spans."""
    if is_json:
        said = {"partialSuccess": {"rejectedSpans": str(rejected), "errorMessage": why}}
        return [(b"content-type", JSON)], orjson.dumps(said if rejected else {})
    partial = _number(1, rejected) + _text(2, why) if rejected else b""
    return [(b"content-type", PROTOBUF)], _bytes(1, partial) if partial else b""


def _typed(headers: Headers, kind: bytes) -> Headers:
    return [(b"content-type", kind), *(one for one in headers if one[0] != b"content-type")]


def _number(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)


def _text(field: int, said: str) -> bytes:
    return _bytes(field, said.encode("utf-8", "replace"))


def _bytes(field: int, raw: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(raw)) + raw


def _varint(value: int) -> bytes:
    made = bytearray()
    while value > 0x7F:
        made.append(value & 0x7F | 0x80)
        value >>= 7
    made.append(value)
    return bytes(made)
