"""Bodies made to hurt: refused soon, in a client's own shape, and nobody else has to wait."""

from __future__ import annotations

import socket
import threading
import time

import pytest

from tests.routing.gateway.conftest import Client
from tests.routing.gateway.scripted import answer, stream

BOMBS = {
    "a hundred thousand lists in one another": b"[" * 100_000 + b"]" * 100_000,
    "a hundred thousand objects in one another": b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
    "an object that never ends": b'{"a":' * 100_000,
    "a million names": b"{" + b",".join(b'"n%d":0' % n for n in range(1_000_000)) + b"}",
    "a name a million times": b"{" + b",".join([b'"n":0'] * 1_000_000) + b"}",
    "a number of a hundred thousand digits": b'{"model":' + b"9" * 100_000 + b"}",
    "a number past every number": b'{"model":1e999}',
    "not a number": b'{"model":"x","a":NaN}',
    "half a surrogate pair": b'{"model":"\\ud800"}',
    "a byte order mark": b'\xef\xbb\xbf{"model":"x"}',
    "UTF-16": '{"model":"x"}'.encode("utf-16"),
    "a comment": b'{"model":"x"/* y */}',
    "two documents": b'{"model":"x"}{"model":"y"}',
    "a NUL behind the end": b'{"model":"x"}\x00',
    "a text that never ends": b'{"model":"' + b"\\u0041" * 100_000,
    "multipart": b"--x\r\ncontent-disposition: form-data; name=a\r\n\r\n1\r\n" * 10_000,
    "zip": b"PK\x03\x04" + b"\x00" * 1_000,
}


@pytest.mark.parametrize("kind", BOMBS)
def test_a_bomb_is_a_client_error_and_holds_up_nobody(agent, vendor, kind):
    waits: list[float] = []
    over = threading.Event()

    def look() -> None:
        while not over.is_set():
            started = time.monotonic()
            assert Client(agent.port).ask("GET", "/healthz").status == 200
            waits.append(time.monotonic() - started)
            time.sleep(0.01)

    looking = threading.Thread(target=look)
    looking.start()
    try:
        got = agent.ask("POST", "/v1/chat/completions", BOMBS[kind])
    finally:
        over.set()
        looking.join(30)
    # A body of many honest names is understood: it only names no route.
    assert got.status in {400, 404}
    assert got.headers["x-unsprawl-error"]
    assert max(waits) < 30.0
    assert not vendor.seen
    assert agent.chat().status == 200


def test_half_open_and_half_said_requests_hold_up_nobody(agent, vendor):
    lines = [socket.create_connection(("127.0.0.1", agent.port)) for _ in range(150)]
    try:
        for line in lines[:100]:
            line.sendall(b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nx-a: ")
        started = time.monotonic()
        assert agent.chat().status == 200
        assert time.monotonic() - started < 30
        assert agent.ask("GET", "/healthz").status == 200
    finally:
        for line in lines:
            line.close()


@pytest.mark.parametrize(
    "wait",
    ["0", "1", "-5", "99999999999999", "1e9", "soon", "Wed, 21 Oct 2099 07:28:00 GMT",
     "Wed, 21 Oct 1999 07:28:00 GMT", ""],
)  # fmt: skip
def test_a_vendor_that_is_full_is_passed_on_at_once_whatever_it_says_of_when(agent, vendor, wait):
    vendor.script = answer({"error": {"code": "full"}}, 429, ("retry-after", wait))
    started = time.monotonic()
    got = agent.chat()
    assert (got.status, got.headers.get("retry-after", "")) == (429, wait)
    assert "x-unsprawl-error" not in got.headers
    assert time.monotonic() - started < 30
    vendor.script = answer()
    assert agent.chat().status == 200


HELLO = b'data: {"choices":[{"index":0,"delta":{"content":"x"}}]}\n\n'
DONE = b"data: [DONE]\n\n"
STRANGE = {
    "retry past every number": b"retry: 1e99\n\n",
    "an id with a NUL": b"id: a\x00b\ndata: {}\n\n",
    "a comment of a megabyte": b":" + b"x" * 1_000_000 + b"\n\n",
    "a name nobody knows": b"event: nobody\ndata: {}\n\n",
    "half a character": b'data: {"choices":[{"index":0,"delta":{"content":"\xe2\x82"}}]}\n\n',
    "no JSON": b"data: <html>\n\n",
    "an empty event": b"\n\n\n",
    "a model's text that looks like an end": (
        b'data: {"choices":[{"index":0,"delta":{"content":"\\n\\ndata: [DONE]\\n\\n"}}]}\n\n'
    ),
    "a field without a colon": b"data\n\n",
}


@pytest.mark.parametrize("kind", STRANGE)
def test_strange_events_pass_as_they_are_and_are_recorded_so(agent, vendor, kind):
    vendor.script = stream([HELLO, STRANGE[kind], HELLO, DONE])
    got = agent.stream()
    assert got.status == 200
    assert got.body == HELLO + STRANGE[kind] + HELLO + DONE
    assert agent.calls()[-1]["status"] == "ok"


def test_three_hundred_idle_streams_end_well_and_hold_up_nobody(agent, vendor):
    vendor.script = stream([HELLO, HELLO, DONE], pause=2.0)
    opened = [agent.open_stream() for _ in range(300)]
    vendor.script = answer()
    started = time.monotonic()
    assert agent.chat().status == 200
    assert time.monotonic() - started < 60
    ends = []
    for line, got in opened:
        ends.append(got.read().endswith(DONE))
        line.close()
    assert all(ends)
