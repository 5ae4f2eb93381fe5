"""The manifest of an agent: read from YAML or JSON, checked, compared, written back."""

from __future__ import annotations

from registry.manifest.document import Manifest
from registry.manifest.reading import manifest_of, read_manifest

__all__ = ["Manifest", "manifest_of", "read_manifest"]
