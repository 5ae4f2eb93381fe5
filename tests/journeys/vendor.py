"""A vendor of the test's own: an OpenAI-shaped HTTP server that does what a test scripts."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Script = Callable[[BaseHTTPRequestHandler, dict[str, Any]], None]


class Vendor:
    """What was seen and what to answer."""

    def __init__(self, secret: str, script: Script) -> None:
        self.secret = secret
        self.script = script
        self.seen: list[dict[str, Any]] = []
        self.address = ""
        self.is_open = False  # to whoever comes, without a secret

    @contextmanager
    def serving(self) -> Iterator[Vendor]:
        vendor = self

        class Door(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                vendor.seen.append(
                    {"path": self.path, "authorization": self.headers["authorization"], **body}
                )
                known = f"Bearer {vendor.secret}"
                if not vendor.is_open and self.headers["authorization"] != known:
                    answer(self, 401, {"error": {"message": "no", "code": "invalid_api_key"}})
                    return
                vendor.script(self, body)

            def log_message(self, format: str, *args: object) -> None:
                """Say nothing: the test reads what was seen."""

        server = ThreadingHTTPServer(("127.0.0.1", 0), Door)
        self.address = f"http://127.0.0.1:{server.server_port}/v1"
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield self
        finally:
            server.shutdown()
            server.server_close()
            thread.join(10)


def answer(door: BaseHTTPRequestHandler, status: int, document: object) -> None:
    raw = json.dumps(document).encode()
    door.send_response(status)
    door.send_header("content-type", "application/json")
    door.send_header("content-length", str(len(raw)))
    door.end_headers()
    door.wfile.write(raw)


def completion(text: str, model: str) -> dict[str, Any]:
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1795298685,
        "model": model,
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": text},
                "finish_reason": "stop",
            }
        ],
        "usage": {"prompt_tokens": 12, "completion_tokens": 5, "total_tokens": 17},
    }


def open_stream(door: BaseHTTPRequestHandler) -> None:
    door.send_response(200)
    door.send_header("content-type", "text/event-stream")
    door.send_header("connection", "close")
    door.end_headers()
    door.close_connection = True


def send_chunk(door: BaseHTTPRequestHandler, text: str, model: str) -> None:
    chunk = {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": 1795298685,
        "model": model,
        "choices": [{"index": 0, "delta": {"content": text}, "finish_reason": None}],
    }
    door.wfile.write(b"data: " + json.dumps(chunk).encode() + b"\n\n")
    door.wfile.flush()
