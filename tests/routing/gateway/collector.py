"""A collector of traces: takes what is posted, or refuses as a test says."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Collector:
    port: int = 0
    status: int = 200
    bodies: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    raw: list[bytes] = field(default_factory=list)

    def spans(self) -> list[dict[str, Any]]:
        """Return every span that came, its attributes as a plain mapping under ``said``."""
        found = []
        for body in self.bodies:
            for resource in body["resourceSpans"]:
                for scope in resource["scopeSpans"]:
                    found += [one | {"said": plain(one["attributes"])} for one in scope["spans"]]
        return found


def plain(attributes: list[dict[str, Any]]) -> dict[str, Any]:
    said = {}
    for one in attributes:
        ((kind, value),) = one["value"].items()
        said[one["key"]] = int(value) if kind == "intValue" else value
    return said


@contextmanager
def collecting() -> Iterator[Collector]:
    made = Collector()

    class Door(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            made.raw.append(body)
            made.headers.append(dict(self.headers) | {"path": self.path})
            if made.status == 200:
                made.bodies.append(json.loads(body))
            self.send_response(made.status)
            self.send_header("content-length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, *_said: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Door)
    server.daemon_threads = True
    made.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield made
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)
