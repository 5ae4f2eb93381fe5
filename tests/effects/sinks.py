"""Systems of record, real ones on loopback: they count what they did, and break off anywhere."""

from __future__ import annotations

import json
import os
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Asked:
    """One request as it arrived."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class HttpSink:
    """A system that does what it is asked. ``keys`` is what it did, by idempotency key."""

    port: int = 0
    asked: list[Asked] = field(default_factory=list)
    done: list[Asked] = field(default_factory=list)
    keys: dict[str, int] = field(default_factory=dict)
    honours_keys: bool = True
    status: int = 201  # of an answer; 2xx does it
    answer_headers: dict[str, str] = field(default_factory=dict)
    breaks: str = ""  # before: nothing is done; after: done, and no answer
    delay: float = 0.0
    answer: Callable[[Asked], tuple[int, object] | None] | None = None
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def take(self, asked: Asked) -> tuple[int, object]:
        """Do it, once for a key where keys are honoured."""
        key = asked.headers.get("idempotency-key", "")
        with self.lock:
            self.asked.append(asked)
            if asked.method == "GET":
                key = asked.path.rpartition("=")[2]
                known = self.keys.get(key)
                return 200, {"items": [{"id": f"thing-{known}", "key": key}] if known else []}
            if not 200 <= self.status < 300 or self.breaks == "before":
                return self.status, {"error": "no"}
            if not (key and self.honours_keys and key in self.keys):
                self.done.append(asked)
                self.keys[key] = len(self.done)
            return self.status, {"id": f"thing-{self.keys[key]}"}


class _Door(BaseHTTPRequestHandler):
    server: _Server

    def answer(self) -> None:
        sink = self.server.sink
        size = int(self.headers.get("content-length") or 0)
        headers = {name.lower(): value for name, value in self.headers.items()}
        asked = Asked(self.command, self.path, headers, self.rfile.read(size))
        given = sink.answer(asked) if sink.answer else None
        status, body = given or sink.take(asked)
        if given:
            sink.asked.append(asked)
        if sink.breaks:
            # Reset, and not only ended.
            linger = struct.pack("ii", 1, 0)
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            os.close(self.connection.detach())
            self.close_connection = True
            return
        time.sleep(sink.delay)
        self.say(status, body if isinstance(body, bytes) else json.dumps(body).encode())

    def say(self, status: int, raw: bytes) -> None:
        self.send_response(status)
        for name, value in self.server.sink.answer_headers.items():
            self.send_header(name, value)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = answer  # noqa: N815  the library's names

    def log_message(self, format: str, *args: object) -> None:
        return

    def finish(self) -> None:
        if not self.server.sink.breaks:
            super().finish()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128
    sink: HttpSink

    def handle_error(self, request: Any, client_address: Any) -> None:
        return

    def shutdown_request(self, request: Any) -> None:
        if not self.sink.breaks:
            super().shutdown_request(request)


@contextmanager
def http_sink(port: int = 0) -> Iterator[HttpSink]:
    server = _Server(("127.0.0.1", port), _Door)
    server.sink = sink = HttpSink(server.server_port)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield sink
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def tls_before(context: ssl.SSLContext, port: int) -> Iterator[int]:
    """Speak TLS on a port of its own, and pass on to another what comes through."""
    door = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                plain, _ = door.accept()
            except OSError:
                return
            try:
                with (
                    context.wrap_socket(plain, server_side=True) as secure,
                    socket.create_connection(("127.0.0.1", port)) as behind,
                ):
                    behind.sendall(secure.recv(65536))
                    secure.sendall(behind.recv(65536))
            except OSError:
                plain.close()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield door.getsockname()[1]
    finally:
        door.shutdown(socket.SHUT_RDWR)
        door.close()
        thread.join()
