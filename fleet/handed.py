"""A manifest handed in as text or file, and its problems line by line beside the text."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from fleet.forms.registration import ManifestForm
from kernel.errors import DomainError
from registry.manifest import Manifest, read_manifest
from registry.manifest.reading import JSON_TYPES, YAML_TYPES
from registry.manifest.text import MAX_BYTES


@dataclass(frozen=True, slots=True)
class Handed:
    """What somebody pasted or uploaded, as it came."""

    raw: bytes = field(repr=False)
    source: str  # form or upload
    is_json: bool

    @property
    def text(self) -> str:
        return self.raw[:MAX_BYTES].decode("utf-8", "replace").replace("\r\n", "\n")

    def manifest(self) -> Manifest:
        """Raises: ManifestUnreadable, ManifestInvalid, BodyTooLarge, NotJSON."""
        return read_manifest(self.raw, (JSON_TYPES if self.is_json else YAML_TYPES)[0])

    def form_again(self) -> ManifestForm:
        """Return the form with the text in it, the uploaded file's too: nothing is lost."""
        form = ManifestForm({"text": self.text})
        form.is_valid()
        return form


def handed_in(form: ManifestForm) -> Handed:
    """Return what a valid form holds."""
    file = form.cleaned_data.get("file")
    if file:
        raw: bytes = file.read(MAX_BYTES + 1)
        return Handed(raw, "upload", _is_json(raw))
    raw = form.cleaned_data["text"].encode("utf-8", "surrogatepass")
    return Handed(raw, "form", _is_json(raw))


def problems_of(error: DomainError, text: str) -> list[dict[str, Any]]:
    """Return each problem with the line of the text that it is on."""
    stated: Any = error.facts.get("errors")
    if not isinstance(stated, list):
        line = error.facts.get("line")
        stated = [{"line": line, "key": "", "message": error.detail}] if line else []
    lines = text.split("\n")
    shown = []
    for problem in stated:
        number = problem.get("line")
        at = lines[number - 1] if isinstance(number, int) and 0 < number <= len(lines) else ""
        shown.append(dict(problem) | {"text": at[:300]})
    return sorted(shown, key=lambda problem: problem.get("line") or 0)


def _is_json(raw: bytes) -> bool:
    return raw.lstrip(b"\xef\xbb\xbf \t\r\n").startswith((b"{", b"["))
