"""From bytes to a `Manifest`: syntax, then shape, then meaning, each reporting all it finds."""

from __future__ import annotations

from typing import Any, Final

from kernel.errors import Malformed
from registry.errors.agents import ManifestInvalid
from registry.manifest.consistency import check_meaning, check_text
from registry.manifest.document import Manifest
from registry.manifest.jsontext import read_json
from registry.manifest.problems import MAX_PROBLEMS, Problem, summary
from registry.manifest.schema import check_shape
from registry.manifest.text import Source
from registry.manifest.yamltext import read_yaml

JSON_TYPES: Final = ("application/json",)
YAML_TYPES: Final = ("application/yaml", "application/x-yaml", "text/yaml", "text/x-yaml")


def read_manifest(raw: bytes, media_type: str) -> Manifest:
    """Read a manifest in YAML or JSON.

    Raises: ManifestUnreadable, NotJSON, BodyTooLarge, ManifestInvalid, Malformed (media type).
    """
    return manifest_from(_read(raw, media_type))


def manifest_from(source: Source) -> Manifest:
    """Check what was read. Raises: ManifestInvalid, naming every problem."""
    document = _without_nothing(source.value)
    if not isinstance(document, dict):
        raise refused([Problem((), "A manifest is a mapping of keys to values.", 1)])
    problems = check_text(document, source.lines) + check_shape(document, source.lines)
    if not problems:
        problems = check_meaning(document, source.lines)
    if problems:
        raise refused(problems)
    return Manifest(document, source.lines)


def manifest_of(document: dict[str, Any]) -> Manifest:
    """Check a document that was built rather than read. Raises: ManifestInvalid."""
    return manifest_from(Source(document))


def refused(problems: list[Problem]) -> ManifestInvalid:
    """Return the refusal of a manifest with all that is wrong with it."""
    shown = problems[:MAX_PROBLEMS]
    return ManifestInvalid(summary(problems), errors=[problem.facts() for problem in shown])


def _read(raw: bytes, media_type: str) -> Source:
    kind = media_type.partition(";")[0].strip().lower()
    if kind in JSON_TYPES:
        return read_json(raw)
    if kind in YAML_TYPES:
        return read_yaml(raw)
    known = ", ".join(JSON_TYPES + YAML_TYPES)
    raise Malformed(f"A manifest comes as one of {known}.")


def _without_nothing(value: object) -> object:
    # A key without a value ("tools:" with every item commented out) is a key left out.
    # Depth was capped by the reader, so recursion is safe.
    if isinstance(value, dict):
        return {key: _without_nothing(item) for key, item in value.items() if item is not None}
    if isinstance(value, list):
        return [_without_nothing(item) for item in value]
    return value
