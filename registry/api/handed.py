"""Taking a manifest from a request: the body itself, as JSON or YAML, or an uploaded file.

The bytes go to the manifest's reader untouched, so that an error can name the line that
the owner wrote.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from rest_framework.parsers import BaseParser, MultiPartParser
from rest_framework.request import Request

from kernel.canonical import BodyTooLarge
from kernel.errors import Malformed
from registry.manifest import Manifest, read_manifest
from registry.manifest.reading import JSON_TYPES, YAML_TYPES
from registry.manifest.text import MAX_BYTES

MOST_UPLOADED: Final = MAX_BYTES + 16 * 1024  # the file and the form around it
FILE_FIELDS: Final = ("manifest", "file")
_BODY: Final = "body"


@dataclass(frozen=True, slots=True)
class Handed:
    """A request's body as it came, and what it says it is."""

    raw: bytes = field(repr=False)
    media_type: str


class _BodyParser(BaseParser):
    def parse(
        self,
        stream: Any,
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        return {_BODY: Handed(stream.read(MAX_BYTES + 1), self.media_type or "")}


class _Upload(MultiPartParser):
    """A form with one file, refused by its declared size before it is read."""

    def parse(
        self,
        stream: Any,
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        declared = (parser_context or {})["request"].META.get("CONTENT_LENGTH") or "0"
        if not declared.isdigit() or int(declared) > MOST_UPLOADED:
            raise BodyTooLarge(f"A manifest has at most {MAX_BYTES} bytes.", limit_bytes=MAX_BYTES)
        return super().parse(stream, media_type, dict(parser_context or {}))


def _parser(media_type: str) -> type[BaseParser]:
    return type("ManifestParser", (_BodyParser,), {"media_type": media_type})


MANIFEST_PARSERS: Final = [*(_parser(kind) for kind in JSON_TYPES + YAML_TYPES), _Upload]


def manifest_in(request: Request) -> tuple[Manifest, str]:
    """Return the manifest of a request and how it came: ``api`` or ``upload``.

    Raises: Malformed and what `read_manifest` raises.
    """
    handed = request.data.get(_BODY) if isinstance(request.data, dict) else None
    if isinstance(handed, Handed):
        return read_manifest(handed.raw, handed.media_type), "api"
    file = next((request.FILES[name] for name in FILE_FIELDS if name in request.FILES), None)
    if file is None:
        raise Malformed(
            "There is no manifest. Send it as the body, in JSON or YAML, or as a form with a file"
            f" named {FILE_FIELDS[0]}."
        )
    is_json = (file.name or "").lower().endswith(".json")
    kind = JSON_TYPES[0] if is_json or file.content_type in JSON_TYPES else YAML_TYPES[0]
    return read_manifest(file.read(MAX_BYTES + 1), kind), "upload"
