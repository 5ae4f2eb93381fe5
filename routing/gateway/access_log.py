"""One line for every request: what was asked, how it ended, how long it took.

Written straight to the stream, in the shape of all other lines: on the hot path a general
logger would cost more than the call's own governance. No header, no body, no key.
"""

from __future__ import annotations

from typing import BinaryIO

import orjson

from kernel import clock


class AccessLog:
    """Lines for one stream; None keeps none."""

    def __init__(self, stream: BinaryIO | None) -> None:
        self._stream = stream

    def note(self, **said: object) -> None:
        if self._stream is None:
            return
        line = {
            "event": "request.answered",
            "level": "info",
            "logger": "unsprawl.gateway",
            "timestamp": clock.stamp(clock.now()),
            **{name: value for name, value in said.items() if value not in ("", None)},
        }
        self._stream.write(orjson.dumps(line, default=str) + b"\n")
        self._stream.flush()
