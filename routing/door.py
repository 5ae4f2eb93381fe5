"""The door of a gateway process: where other processes of the installation ask it alone.

Owns the wire: one line of a signature, one line of JSON, and the same back. Question and
answer are signed with the installation's internal keys, the answer over the question's
own signature, so that nobody else can say "contained" in a gateway's place. No Django:
the gateway opens it; and it can be asked from any thread.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import time
from collections.abc import Awaitable, Callable
from typing import Any, Final

import structlog

from routing.internal import InternalKeys

logger = structlog.get_logger("unsprawl.door")

LONGEST_LINE: Final = 64 * 1024
_PATIENCE: Final = 5.0
_ASK, _ANSWER = "ASK", "ANSWER"
_PATH: Final = "/door"

Answering = Callable[[dict[str, Any]], Awaitable[dict[str, Any]]]


class DoorShut(Exception):
    """Raised when a gateway's door gives no answer that can be believed; says why."""


class Door:
    """The listening end."""

    def __init__(self, keys: InternalKeys, answering: Answering) -> None:
        self._keys = keys
        self._answering = answering
        self._server: asyncio.Server | None = None

    async def open(self, host: str, port: int = 0) -> int:
        """Listen, and return the port. Raises OSError."""
        self._server = await asyncio.start_server(self._serve, host, port, limit=LONGEST_LINE)
        return int(self._server.sockets[0].getsockname()[1])

    async def close(self) -> None:
        if self._server is not None:
            self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(_PATIENCE):
                await self._answer(reader, writer)
        except (OSError, TimeoutError, ValueError, asyncio.IncompleteReadError):
            pass  # whoever asked sees a closed door
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        token = (await reader.readuntil(b"\n")).strip().decode("ascii")
        body = (await reader.readuntil(b"\n")).strip()
        if not self._keys.accepts(token, _ASK, _PATH, body):
            logger.warning("door.refused")
            return
        question = json.loads(body)
        if not isinstance(question, dict):
            return
        answer = json.dumps(await self._answering(question)).encode()
        signed = self._keys.token(_ANSWER, f"{_PATH}/{token}", answer).encode()
        writer.write(signed + b"\n" + answer + b"\n")
        await writer.drain()


def knock(
    address: str, question: dict[str, Any], keys: InternalKeys, seconds: float
) -> dict[str, Any]:
    """Ask a gateway at its door and return its answer. Raises: DoorShut."""
    host, _, port = address.rpartition(":")
    body = json.dumps(question).encode()
    token = keys.token(_ASK, _PATH, body)
    until = time.monotonic() + seconds
    try:
        with socket.create_connection((host.strip("[]"), int(port)), timeout=seconds) as line:
            line.sendall(f"{token}\n".encode() + body + b"\n")
            said = _read(line, until)
    except ConnectionRefusedError:
        raise DoorShut("nothing listens there") from None
    except TimeoutError:
        raise DoorShut("it does not answer") from None
    except (OSError, ValueError) as error:
        raise DoorShut(f"it cannot be reached ({type(error).__name__})") from None
    signed, _, answer = said.partition(b"\n")
    answer = answer.strip()
    path = f"{_PATH}/{token}"
    if not keys.accepts(signed.decode("ascii", "replace"), _ANSWER, path, answer):
        raise DoorShut("it closed the line; its keys are perhaps others")
    found = json.loads(answer)
    if not isinstance(found, dict):
        raise DoorShut("its answer cannot be read")
    return found


def _read(line: socket.socket, until: float) -> bytes:
    pieces: list[bytes] = []
    while True:
        left = until - time.monotonic()
        if left <= 0:
            raise TimeoutError
        line.settimeout(left)
        piece = line.recv(LONGEST_LINE)
        if not piece:
            return b"".join(pieces)
        pieces.append(piece)
