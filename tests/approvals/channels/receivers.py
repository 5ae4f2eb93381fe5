"""Receivers on loopback that keep what they were sent, and can be slow, rude or gone."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from approvals.actions import Question, ask
from approvals.channels.secrets import SENDING
from approvals.models import Channel, Review
from credentials.actions import seal_secret
from kernel import clock
from kernel.canonical import digest
from kernel.refs import Ref, new_id
from tests.factories import Cast, actor, operator

_COUNT = itertools.count()


@dataclass
class Received:
    """One request as it came."""

    path: str
    headers: dict[str, str]
    body: bytes
    at: float = field(default_factory=time.monotonic)


@dataclass
class Receiver:
    """What was sent, and what is answered next."""

    port: int = 0
    status: int = 200
    answer: bytes = b"{}"
    headers: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0  # to wait before the answer
    requests: list[Received] = field(default_factory=list)
    answers: dict[str, bytes] = field(default_factory=dict)  # by the path's last part

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}/in"


@contextmanager
def receiving() -> Iterator[Receiver]:
    kept = Receiver()

    class Door(BaseHTTPRequestHandler):
        def _take(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            headers = {name.lower(): value for name, value in self.headers.items()}
            kept.requests.append(Received(self.path, headers, body))
            time.sleep(kept.seconds)
            last = self.path.partition("?")[0].rpartition("/")[2]
            answer = kept.answers.get(last, kept.answer)
            self.send_response(kept.status)
            for name, value in kept.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def do_POST(self) -> None:
            self._take()

        def do_GET(self) -> None:
            self._take()

        def log_message(self, *args: Any) -> None:
            return

    class Server(ThreadingHTTPServer):
        def handle_error(self, request: Any, client_address: Any) -> None:
            return  # whoever asked went away

    server = Server(("127.0.0.1", 0), Door)
    server.daemon_threads = True
    kept.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield kept
    server.shutdown()
    server.server_close()
    thread.join()


def make_channel(*, secret: str = "", **over: Any) -> Channel:
    """Make a channel and seal what it sends with."""
    given: dict[str, Any] = {
        "public_id": new_id("chn"),
        "name": f"channel-{next(_COUNT)}",
        "kind": "webhook",
        "allow_private": True,
        "added_by": "system:test",
        "added_at": clock.now(),
    }
    channel = Channel.objects.create(**given | over)
    if secret:
        seal_secret(channel.ref, secret, ring=SENDING, actor=operator().ref)
    return channel


def open_review(cast: Cast, **over: Any) -> Review:
    number = next(_COUNT)
    given: dict[str, Any] = {
        "kind": "proposal",
        "subject": Ref("proposal", f"prp_{number}"),
        "subject_name": f"Pay invoice {number}",
        "digest": digest({"pay": number}),
        "text": "May it be paid?",
        "requester": cast.alice,
        "evidence": {"effect": "money"},
    }
    return ask(Question(**given | over), actor=actor(cast.alice))
