"""What a gateway's process writes: never a word of a body, a key or a secret, whatever happens."""

from __future__ import annotations

import json

import pytest

from bench.gateway.rig import GatewayChild
from tests.ports import free_port
from tests.routing.gateway.conftest import BODY, Client, raw_request
from tests.routing.gateway.scripted import SECRET, answer, stream
from tests.routing.gateway.test_wire import exchange

pytestmark = pytest.mark.slow

ASKED = "canary-of-a-prompt-51c0"
SAID = "canary-of-an-answer-77ab"
TOLD = "canary-of-a-header-3e9d"


def test_no_line_has_a_canary(rig, make_agent, vendor, tmp_path):
    port = free_port()
    log = tmp_path / "log"
    child = GatewayChild(rig, port, log, UNSPRAWL_LOG_LEVEL="DEBUG")
    try:
        child.wait_ready()
        agent = make_agent(port)
        body = BODY | {"messages": [{"role": "user", "content": ASKED}], "user": ASKED}
        complete = {"choices": [{"message": {"content": SAID}}], "model": SAID}
        for script in (
            answer(complete),
            answer({"error": {"code": SAID, "type": SAID, "message": f"{SAID} {SECRET}"}}, 400),
            answer(raw=f"<html>{SAID}".encode()),
            stream([f'data: {{"error": {{"code": "{SAID}"}}}}\n\n'.encode()]),
            stream([f"data: {SAID}\n\n".encode()], cut=True),
        ):
            vendor.script = script
            agent.chat(body, x_unsprawl_run=TOLD, user_agent=TOLD, x_any=TOLD)
            agent.stream(**body)
        agent.chat(f'{{"model": "{ASKED}"'.encode())
        agent.ask("GET", f"/v1/{ASKED}?{ASKED}")
        Client(port, f"usp_{ASKED}").chat()
        exchange(port, raw_request(TOLD, ASKED.encode(), f"x-a : {TOLD}"), seconds=1)
        exchange(port, f"GET /{ASKED} HTTP/9.9\r\n{TOLD}\r\n\r\n".encode(), seconds=1)
    finally:
        child.stop()
    written = log.read_text(encoding="utf-8")
    assert "request.answered" in written
    for canary in (ASKED, SAID, TOLD, SECRET, agent.key):
        assert canary not in written
    assert all(json.loads(line)["event"] for line in written.splitlines())
