"""``python -m config.sequencer``: the sequencer of the ledger, which never imports Django.

Any number may run; one is active and the others take over when it ends. It alone reads the
log's signing key, and it alone writes to the tree.
"""

from __future__ import annotations

import signal
import sys
from functools import partial
from urllib.parse import urlsplit

from config.durable import require_durable_database
from config.env import Env, Misconfigured
from config.logs import configure_logging
from config.places import Places
from config.witnesses import witnesses_from
from ledger.sequencing.epochs import CannotSequence
from ledger.sequencing.keys import KeyUnreadable, SigningKey
from ledger.sequencing.service import Service, Settings


def settings_from(env: Env) -> Settings:
    """Read what a sequencer is told; problems are collected in the environment."""
    running = Places.from_environ().read_runtime()
    address = (
        env.secret("DATABASE_SEQUENCER_URL")
        or running.database_sequencer_url
        or env.secret("DATABASE_OWNER_URL")
        or env.secret("DATABASE_URL")
    )
    if not address:
        env.problems.append(
            "DATABASE_SEQUENCER_URL is missing, and no service runs on this data directory."
        )
    public = env.url("UNSPRAWL_PUBLIC_URL", f"http://127.0.0.1:{env.port('PORT', 8000)}")
    return Settings(address, urlsplit(public).netloc)


def main() -> int:
    """Run until SIGINT or SIGTERM; 1 with one line when it cannot go on."""
    env = Env()
    settings = settings_from(env)
    witnesses = witnesses_from(env)
    keys_dir = env.path("UNSPRAWL_KEYS_DIR", Places.from_environ().keys)
    level = env.text("UNSPRAWL_LOG_LEVEL", "INFO")
    try:
        env.check()
        configure_logging(level)
        require_durable_database(settings.address)
        service = Service(settings, partial(SigningKey.load, keys_dir), witnesses=witnesses)
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: service.stopping.ask())
        service.run()
    except (Misconfigured, KeyUnreadable, CannotSequence) as error:
        sys.stderr.write(f"The sequencer cannot go on: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
