"""``python -m config.witness``: a witness of the ledger; no Django, no database, one key.

``python -m config.witness trust LOG KEY`` is how its operator accepts another key of a log,
after having made sure of it: from then on the log's next epoch is signed by that key alone.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import os
import sys
import time
from pathlib import Path
from typing import Final

from config.env import Env, Misconfigured
from config.logs import configure_logging
from config.places import Places
from ledger.witness.identity import Identity, IdentityUnusable
from ledger.witness.judging import Witness
from ledger.witness.server import Server
from ledger.witness.store import Store

_PORT: Final = 8200
_USAGE: Final = "usage: python -m config.witness [trust LOG KEY]\n"


def public_key(spelt: str) -> bytes:
    """Read a raw Ed25519 public key, in base64. Raises: ValueError."""
    try:
        raw = base64.b64decode(spelt, validate=True)
    except binascii.Error:
        raise ValueError("a public key is 32 bytes in base64") from None
    if len(raw) != 32:
        raise ValueError("a public key is 32 bytes in base64")
    return raw


def told_keys(env: Env) -> tuple[bytes, ...]:
    """Return the keys of logs this witness may begin to witness."""
    try:
        return tuple(map(public_key, env.secret("UNSPRAWL_WITNESS_LOG_KEYS").split()))
    except ValueError as error:
        env.problems.append(f"UNSPRAWL_WITNESS_LOG_KEYS: {error}.")
        return ()


def directory_of(env: Env) -> Path:
    """Return where the key and the store are."""
    return env.path("UNSPRAWL_WITNESS_DIR", Places.from_environ().data / "witness")


def main(arguments: list[str] | None = None) -> int:
    """Run until SIGINT or SIGTERM, or carry out a command; 1 with one line when it cannot."""
    env = Env()
    words = sys.argv[1:] if arguments is None else arguments
    try:
        if not words:
            return serve(env)
        if len(words) == 3 and words[0] == "trust":
            return trust(env, words[1], words[2])
    except (Misconfigured, IdentityUnusable, OSError, ValueError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stderr.write(_USAGE)
    return 2


def serve(env: Env) -> int:
    """Witness what the logs send."""
    host = env.text("UNSPRAWL_WITNESS_BIND", "127.0.0.1")
    port = env.integer("UNSPRAWL_WITNESS_PORT", _PORT, maximum=65535)
    name = env.text("UNSPRAWL_WITNESS_NAME", "unsprawl-witness")
    crash_at = os.environ.get("UNSPRAWL_CRASH_AT", "")  # where a test has it die
    told, directory = told_keys(env), directory_of(env)
    env.check()
    configure_logging(env.text("UNSPRAWL_LOG_LEVEL", "INFO"))
    identity = Identity.at(directory, name)
    witness = Witness(identity, Store(directory), told, crash_at=crash_at)
    asyncio.run(Server(witness).serve(host, port))
    return 0


def trust(env: Env, log: str, spelt: str) -> int:
    """Accept a log's next epoch under this key alone; a running witness need not be told."""
    public, directory = public_key(spelt), directory_of(env)
    env.check()
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    store = Store(directory)
    with store.changing():
        store.trust(log, public, int(time.time()))
    store.close()
    sys.stdout.write(f"The next epoch of {log} is accepted under {spelt} alone.\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
