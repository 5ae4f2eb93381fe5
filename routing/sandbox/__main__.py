"""``python -m routing.sandbox``: serve the sandbox vendor on a loopback port until told to stop.

The port comes from ``--port`` or ``UNSPRAWL_SANDBOX_URL``, the note of the secret from
``--note`` or ``sandbox.json`` in ``UNSPRAWL_DATA_DIR``; ``manage.py prepare`` writes it.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import sys
from pathlib import Path
from urllib.parse import urlsplit

from routing.sandbox.secret import FILE_NAME, NoteKeeper
from routing.sandbox.server import Sandbox


def main(arguments: list[str] | None = None) -> int:
    """Return 0 after a stop that was asked for, 1 when the port cannot be had."""
    parser = argparse.ArgumentParser(prog="python -m routing.sandbox", description=__doc__)
    address = urlsplit(os.environ.get("UNSPRAWL_SANDBOX_URL", ""))
    directory = Path(os.environ.get("UNSPRAWL_DATA_DIR", "").strip() or ".data")
    parser.add_argument("--host", default=address.hostname or "127.0.0.1")
    parser.add_argument("--port", type=int, default=address.port or 8200)
    parser.add_argument("--note", type=Path, default=directory / FILE_NAME)
    chosen = parser.parse_args(arguments)
    try:
        asyncio.run(serve(chosen.host, chosen.port, chosen.note))
    except OSError as error:
        sys.stderr.write(f"The sandbox cannot listen on port {chosen.port} ({error.strerror}).\n")
        return 1
    return 0


async def serve(host: str, port: int, note: Path) -> None:
    """Serve until SIGTERM or SIGINT. Raises OSError when the address cannot be had."""
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for asked in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(asked, stopped.set)
    sandbox = Sandbox(NoteKeeper(note).sha256)
    server = await asyncio.start_server(sandbox.serve, host, port, backlog=1024)
    listening = server.sockets[0].getsockname()[1]
    sys.stdout.write(f"sandbox: no model behind it, on {host}:{listening}\n")
    sys.stdout.flush()
    await stopped.wait()
    server.close()


if __name__ == "__main__":
    sys.exit(main())
