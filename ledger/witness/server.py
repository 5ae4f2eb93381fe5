"""The witness as a server: its paths, and one thread in which everything is judged in turn.

``POST /add-checkpoint`` is C2SP's. ``GET /checkpoint?origin=…`` (or ``?log=…``),
``GET /forks?origin=…``, ``GET /key`` and ``GET /healthz`` are ours, and only read.
"""

from __future__ import annotations

import asyncio
import logging
import signal
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Final

from ledger.witness.http import Request, listen
from ledger.witness.judging import Answer, Witness

_log: Final = logging.getLogger(__name__)


class Server:
    """A witness behind HTTP."""

    def __init__(self, witness: Witness) -> None:
        self._witness = witness
        # One thread: requests are judged one after the other, and a slow disk stops no reading.
        self._judge = ThreadPoolExecutor(1, thread_name_prefix="judge")

    async def answer(self, request: Request) -> Answer:
        """Answer one request; a witness that cannot remember does not cosign."""
        asked = self._asked(request)
        try:
            return await asyncio.get_running_loop().run_in_executor(self._judge, asked)
        except (sqlite3.Error, OSError) as error:
            _log.error("the store fails: %s", error)
            return Answer(503, "the witness cannot reach its store, so it does not cosign\n")

    def _asked(self, request: Request) -> Callable[[], Answer]:
        witness, query = self._witness, request.query
        origin, log = query.get("origin", ""), query.get("log", "")
        paths: dict[str, tuple[str, Callable[[], Answer]]] = {
            "/add-checkpoint": ("POST", partial(witness.add_checkpoint, request.body)),
            "/checkpoint": ("GET", partial(witness.checkpoint, origin=origin, log=log)),
            "/forks": ("GET", partial(witness.forks, origin)),
            "/key": ("GET", partial(Answer, 200, f"{witness.identity.key}\n")),
            "/healthz": ("GET", partial(Answer, 200, "ok\n")),
        }
        if request.path not in paths:
            return partial(Answer, 404, "there is no such path\n")
        method, asked = paths[request.path]
        if request.method != method:
            return partial(Answer, 405, f"this path is asked with {method}\n")
        return asked

    async def serve(self, host: str, port: int) -> None:
        """Serve until SIGINT or SIGTERM."""
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stop.set)
        server = await listen(host, port, self.answer)
        port = server.sockets[0].getsockname()[1]
        _log.info("witness %s listens on %s:%s", self._witness.identity.key.name, host, port)
        await stop.wait()
        server.close()
        self._judge.shutdown()
        self._witness.store.close()
