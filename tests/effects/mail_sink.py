"""A mail server on loopback that speaks enough of RFC 5321, and keeps what it took."""

from __future__ import annotations

import base64
import os
import socket
import socketserver
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any


@dataclass
class Mail:
    sender: str
    recipients: list[str]
    raw: bytes

    @property
    def message(self) -> EmailMessage:
        read = message_from_bytes(self.raw, policy=policy.default)
        assert isinstance(read, EmailMessage)
        return read


@dataclass
class MailSink:
    port: int = 0
    taken: list[Mail] = field(default_factory=list)
    logins: list[tuple[str, str]] = field(default_factory=list)
    refuses: str = ""  # rcpt, data: where it says no
    breaks: bool = False  # takes the message and breaks off


_PLAIN = {"EHLO": "250-mail.test\r\n250 AUTH PLAIN", "NOOP": "250 ok"}


class _Door(socketserver.StreamRequestHandler):
    server: _Server

    def handle(self) -> None:
        sink, sender, recipients = self.server.sink, "", list[str]()
        self.say("220 mail.test ESMTP")
        while line := self.rfile.readline().decode().strip():
            word = line.split(" ")[0].upper()
            if said := _PLAIN.get(word):
                self.say(said)
            elif word == "AUTH":
                _, user, password = base64.b64decode(line.split(" ")[2]).decode().split("\0")
                sink.logins.append((user, password))
                self.say("235 welcome")
            elif word == "MAIL":
                sender = line.partition("<")[2].partition(">")[0]
                self.say("250 ok")
            elif word == "RCPT":
                recipients.append(line.partition("<")[2].partition(">")[0])
                self.say("550 no such user" if sink.refuses == "rcpt" else "250 ok")
            elif word == "DATA":
                if not self.data(sink, sender, recipients):
                    return
            else:
                return

    def data(self, sink: MailSink, sender: str, recipients: list[str]) -> bool:
        self.say("354 go on")
        lines = []
        while (line := self.rfile.readline()) not in {b".\r\n", b""}:
            lines.append(line[1:] if line.startswith(b".") else line)
        if sink.refuses == "data":
            self.say("554 not today")
            return True
        sink.taken.append(Mail(sender, recipients, b"".join(lines)))
        if sink.breaks:
            linger = struct.pack("ii", 1, 0)
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            os.close(self.connection.detach())
            return False
        self.say("250 taken")
        return True

    def say(self, text: str) -> None:
        self.wfile.write(text.encode() + b"\r\n")
        self.wfile.flush()


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    sink: MailSink

    def handle_error(self, request: Any, client_address: Any) -> None:
        return


@contextmanager
def mail_sink() -> Iterator[MailSink]:
    server = _Server(("127.0.0.1", 0), _Door)
    server.sink = sink = MailSink(server.server_address[1])
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield sink
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
