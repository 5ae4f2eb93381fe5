"""A vendor with both vendors' shapes, made by somebody else: npm's ``@copilotkit/aimock``.

Owns what it says: by the user's message, the same in every dialect. Its journal is the
witness of what reached a vendor.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import time
import urllib.request
from pathlib import Path
from typing import Any

from tests.ports import free_port

HELLO = "Hello from the vendor."
WEATHER = "It is 21 degrees in Paris."
RAN = "The command has run."
# What the user's message asks for, the tool that is called for it, and what is said afterwards.
_LOOPS: tuple[tuple[str, str, dict[str, str], str], ...] = (
    ("weather in Paris", "get_weather", {"city": "Paris"}, WEATHER),
    ("shell of Claude Code", "Bash", {"command": "echo run", "description": "Say run"}, RAN),
    ("shell of Codex", "exec_command", {"cmd": "echo run"}, RAN),
)


def fixtures(busy_for: tuple[str, ...]) -> dict[str, Any]:
    """Return what the vendor says. Each of ``busy_for`` meets a full vendor the first time."""
    said: list[dict[str, Any]] = []
    for name in busy_for:
        busy = {"message": "Slow down.", "type": "rate_limit_error", "code": "rate_limit_exceeded"}
        said.append(
            {
                "match": {"userMessage": f"busy at first: {name}", "sequenceIndex": 0},
                "response": {"error": busy, "status": 429, "retryAfter": 0},
            }
        )
    for status, kind in ((402, "billing_error"), (403, "permission_error")):
        error = {"message": f"The vendor says {status}.", "type": kind, "code": f"because_{status}"}
        said.append(
            {
                "match": {"userMessage": f"fail with {status}"},
                "response": {"error": error, "status": status},
            }
        )
    for asked, tool, arguments, afterwards in _LOOPS:
        call = {"name": tool, "arguments": json.dumps(arguments)}
        match = {"userMessage": asked}
        said += [
            {"match": match | {"hasToolResult": False}, "response": {"toolCalls": [call]}},
            {"match": match | {"hasToolResult": True}, "response": {"content": afterwards}},
        ]
    said.append({"match": {}, "response": {"content": HELLO}})
    return {"fixtures": said}


class VendorMock:
    """The server, in a process of its own."""

    def __init__(self, node: Path, home: Path, busy_for: tuple[str, ...]) -> None:
        self._port = free_port()
        said = home / "said.json"
        said.write_text(json.dumps(fixtures(busy_for)), encoding="utf-8")
        program = node / "node_modules" / "@copilotkit" / "aimock" / "dist" / "cli.js"
        command = [shutil.which("node") or "node", str(program), "-p", str(self._port)]
        with (home / "mock.log").open("wb") as log:
            self._process = subprocess.Popen(
                [*command, "-f", str(said), "--log-level", "warn", "--journal-max", "0"],
                cwd=home,
                env={"PATH": "/usr/bin:/bin", "HOME": str(home)},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self._port}/v1"

    def wait_ready(self) -> None:
        deadline = time.monotonic() + 60
        while True:
            try:
                self.journal()
            except OSError:
                assert self._process.poll() is None, "the mock vendor ended"
                assert time.monotonic() < deadline
                time.sleep(0.05)
            else:
                return

    def journal(self) -> list[dict[str, Any]]:
        """Return every request that reached the vendor."""
        address = f"http://127.0.0.1:{self._port}/__aimock/journal"
        with urllib.request.urlopen(address, timeout=10) as got:
            found = json.load(got)
        return found if isinstance(found, list) else list(found["entries"])

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait(60)
