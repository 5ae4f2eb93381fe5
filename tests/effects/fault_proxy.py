"""A wire between a client and PostgreSQL that is cut where a test says."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass


@dataclass
class Proxy:
    port: int
    cut_answer_to: bytes = b""  # passed on, and the connection is gone before its answer


def _ask(client: socket.socket, server: socket.socket) -> None:
    with suppress(OSError):
        while piece := client.recv(65536):
            server.sendall(piece)
    with suppress(OSError):
        server.shutdown(socket.SHUT_RDWR)


def _answer(proxy: Proxy, server: socket.socket, client: socket.socket) -> None:
    with suppress(OSError):
        while piece := server.recv(65536):
            # The server has done it, and its saying so reaches nobody.
            if proxy.cut_answer_to and proxy.cut_answer_to in piece:
                break
            client.sendall(piece)
    for side in (client, server):
        with suppress(OSError):
            side.shutdown(socket.SHUT_RDWR)
        side.close()


def _serve(proxy: Proxy, door: socket.socket, unix_socket: str) -> None:
    while True:
        try:
            client, _ = door.accept()
        except OSError:
            return
        server = socket.socket(socket.AF_UNIX)
        server.connect(unix_socket)
        threading.Thread(target=_ask, args=(client, server), daemon=True).start()
        threading.Thread(target=_answer, args=(proxy, server, client), daemon=True).start()


@contextmanager
def fault_proxy(unix_socket: str) -> Iterator[Proxy]:
    """Listen on loopback, and pass everything on to a server's socket."""
    door = socket.create_server(("127.0.0.1", 0))
    proxy = Proxy(door.getsockname()[1])
    thread = threading.Thread(target=_serve, args=(proxy, door, unix_socket), daemon=True)
    thread.start()
    try:
        yield proxy
    finally:
        door.shutdown(socket.SHUT_RDWR)
        door.close()
        thread.join()
