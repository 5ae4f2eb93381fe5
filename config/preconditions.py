"""What must hold before anything is started: nothing is changed here, only refused."""

from __future__ import annotations

import socket
from pathlib import Path

from config.embedded.postgres import Postgres
from config.key_files import lost_keys
from config.machine import CannotStart
from config.places import Places


def require_free_port(bind: str, port: int, variable: str) -> None:
    """Refuse a port that somebody else listens on. Raises: CannotStart."""
    with socket.socket(socket.AF_INET6 if ":" in bind else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((bind, port))
        except OSError as error:
            raise CannotStart(
                f"Port {port} on {bind} cannot be used ({error.strerror}). "
                f"Choose another one: {variable}={port + 1} make run"
            ) from None


def require_keys(keys: Path, places: Places) -> None:
    """Refuse to make new keys beside a database sealed with others. Raises: CannotStart."""
    if Postgres(places.postgres, places.data).is_new:
        return
    if lost := lost_keys(keys):
        raise CannotStart(
            f"The database in {places.postgres} was made with keys that are not in {keys}:"
            f" {', '.join(lost)}. Put keys/ back from its backup. If they are lost for good,"
            " `python -m config.key_files` makes new ones; what the old ones sealed stays"
            " unreadable, and every agent needs a new key."
        )
