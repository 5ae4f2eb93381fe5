"""The scanner as it is handed out: its text and the digest that pins it."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path


@cache
def scanner_text() -> bytes:
    """Return the file."""
    return Path(__file__).with_name("scan_repository.py").read_bytes()


@cache
def scanner_digest() -> str:
    """Return its SHA-256, as sha256sum writes it."""
    return hashlib.sha256(scanner_text()).hexdigest()
