"""Which code a process runs, as the record names it.

Owns the name: the release, and a digest of every source file that decides what becomes of a
call's bytes. Two processes with one name make the same of the same bytes.
"""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path
from typing import Final

RELEASE: Final = "0.1.0"
_ROOT: Final = Path(__file__).resolve().parent.parent
_DECIDES: Final = ("kernel", "policy", "routing/gateway", "ledger/entries.py")


@cache
def code_version() -> str:
    """Return ``<release>+<16 hexadecimal digits>``."""
    hasher = hashlib.sha256()
    for path in sorted(_files()):
        name, raw = str(path.relative_to(_ROOT)).encode(), path.read_bytes()
        hasher.update(len(name).to_bytes(8, "big") + name + len(raw).to_bytes(8, "big") + raw)
    return f"{RELEASE}+{hasher.hexdigest()[:16]}"


def _files() -> list[Path]:
    return [
        path
        for name in _DECIDES
        for path in ([_ROOT / name] if name.endswith(".py") else (_ROOT / name).rglob("*.py"))
    ]
