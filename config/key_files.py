"""``python -m config.key_files``: make the keys that are not there yet; those that are stay.

What ``make run`` does at each start; spread out, whatever prepares a release does it first.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from config.env import Env, Misconfigured
from config.places import Places
from kernel.sealing import PLAIN_KEYS, RINGS, ensure_key_rings
from ledger.exports.signing import ensure_export_key
from ledger.sequencing.keys import ensure_signing_key


def make_keys(directory: Path, public_url: str) -> Iterator[str]:
    """Make what is missing, and name each key that is new."""
    yield from ensure_key_rings(directory)
    if ensure_export_key(directory, public_url):
        yield "export"
    if ensure_signing_key(directory):
        yield "ledger"


def lost_keys(directory: Path) -> list[str]:
    """Name the keys without which what a database holds stays sealed or unknown.

    The web secret is none of them: with a new one people sign in again, and nothing is lost.
    """
    files = {
        **{name: f"{name}.key.json" for name in RINGS},
        "pepper": "pepper.json",
        **{name: f"{name}.key" for name in (*PLAIN_KEYS, "ledger")},
    }
    return [name for name, file in files.items() if not (directory / file).exists()]


def main() -> int:
    """Make them where the settings say; 1 with a line for each problem when they are wrong."""
    env = Env()
    directory = env.path("UNSPRAWL_KEYS_DIR", Places.from_environ().keys)
    public_url = env.url("UNSPRAWL_PUBLIC_URL", "http://127.0.0.1:8000")
    try:
        env.check()
    except Misconfigured as error:
        sys.stderr.write(f"{error}\n")
        return 1
    made = ", ".join(make_keys(directory, public_url))
    sys.stdout.write(f"keys: {made or 'all there'}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
