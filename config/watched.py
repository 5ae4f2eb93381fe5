"""The witness that ``make run`` starts beside the service: when it answers, and whom we trust.

It shows a restored backup, whoever restored it. Against this machine's own administrators a
witness must run elsewhere: docs/guides/run-a-witness.md.
"""

from __future__ import annotations

import urllib.error
import urllib.request
from pathlib import Path
from typing import Final

from config.places import write_private
from ledger.sequencing.keys import ensure_signing_key
from ledger.witness.identity import PUBLIC_FILE

TRUSTED_FILE: Final = "witness.pub"


def log_key(keys: Path) -> str:
    """Return the ledger's public key in base64, made with its private half when there is none."""
    ensure_signing_key(keys)
    return (keys / "ledger.pub").read_text(encoding="ascii").strip()


def answers(url: str) -> bool:
    """Say whether a witness takes requests."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(f"{url}/healthz", timeout=2) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def trust_once(directory: Path, keys: Path) -> str:
    """Keep the key of a witness that is new here; say so when it has another than it had."""
    try:
        found = (directory / PUBLIC_FILE).read_text(encoding="utf-8").strip()
    except OSError:
        return f"does not start; see {directory.parent / 'logs' / 'witness.log'}"
    trusted = keys / TRUSTED_FILE
    if not trusted.exists():
        write_private(trusted, found + "\n")
        return "running, trusted from now on"
    if trusted.read_text(encoding="utf-8").strip() != found:
        return f"running UNDER ANOTHER KEY than {trusted} says, so it is not believed"
    return "running"
