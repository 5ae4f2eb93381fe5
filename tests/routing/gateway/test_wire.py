"""The door: bad bytes, broken framing, too much, too slow; and what is asked of it besides."""

from __future__ import annotations

import json
import socket
import time

import pytest

from routing.gateway import requests
from routing.gateway.body import LIMIT
from tests.routing.gateway.conftest import BODY, Client, eventually, raw_request


def exchange(port: int, sent: bytes, *, seconds: float = 5.0) -> bytes:
    """Send bytes and return everything that comes back until the other side is done."""
    with socket.create_connection(("127.0.0.1", port), timeout=seconds) as line:
        line.sendall(sent)
        got = b""
        try:
            while piece := line.recv(65536):
                got += piece
        except TimeoutError:
            pass
        return got


POST = b"POST / HTTP/1.1\r\nhost: x\r\n"
CHUNKED = POST + b"transfer-encoding: chunked\r\n"
END = b"\r\n0\r\n\r\n"
CORPUS = {
    "not HTTP": b"\x16\x03\x01\x02\x00\x01\x00",
    "no version": b"POST /\r\n\r\n",
    "two lengths": POST + b"content-length: 4\r\ncontent-length: 5\r\n\r\nabcd",
    "a signed length": POST + b"content-length: +4\r\n\r\nabcd",
    "a list of lengths": POST + b"content-length: 4,4\r\n\r\nabcd",
    "length and chunks": CHUNKED + b"content-length: 4\r\n" + END,
    "an unknown coding": POST + b"transfer-encoding: xchunked\r\n" + END,
    "a coding twice": POST + b"transfer-encoding: chunked, chunked\r\n" + END,
    "a folded header": POST + b"x-a: 1\r\n folded\r\n\r\n",
    "a space before the colon": POST + b"x-a : 1\r\n\r\n",
    "a NUL in a header": POST + b"x-a: 1\x002\r\n\r\n",
    "a chunk size that is none": CHUNKED + b"\r\nzz\r\n\r\n",
}
BAD_BODIES = [b"", b"{", b"[]", b'{"model":"a","model":"b"}', b'{"x":NaN}', b"\xff"]
UNSERVED = [
    "/", "/v1", "/v1/chat/completions/", "/v1/responses/", "/v1/responses/a/b",
    "/v1/responses/a%2Fb", "/v1/messages/batches", "/internal/vendors", "/V1/models",
]  # fmt: skip


@pytest.mark.parametrize("kind", CORPUS)
def test_framing_that_two_readers_could_read_differently_is_one_refusal(served, vendor, kind):
    got = exchange(served.port, CORPUS[kind])
    assert got.count(b"HTTP/1.1 ") <= 1
    assert not got or got.split(b" ")[1] in {b"400", b"404"}
    assert not vendor.seen


def test_headers_that_count_must_be_single(agent, vendor):
    raw = json.dumps(BODY | {"model": agent.route}).encode()
    for twice in ("authorization: Bearer x", "x-unsprawl-run: a\r\nx-unsprawl-run: b"):
        got = exchange(agent.port, raw_request(agent.key, raw, twice, "connection: close"))
        assert got.startswith(b"HTTP/1.1 400")
        assert b"header_repeated" in got
    assert not vendor.seen


@pytest.mark.parametrize("body", BAD_BODIES)
def test_a_bad_body_is_a_clear_400_and_the_line_stays_usable(agent, vendor, body):
    got = agent.chat(body)
    assert got.status == 400
    assert got.json["error"]["message"]
    assert got.headers["x-unsprawl-error"]
    assert agent.chat().status == 200
    assert len(vendor.seen) == 1


def test_a_declared_body_past_the_cap_is_refused_before_it_is_sent(agent):
    head = raw_request(agent.key, b"").replace(
        b"content-length: 0", b"content-length: %d" % (LIMIT + 1)
    )
    got = exchange(agent.port, head)
    assert got.startswith(b"HTTP/1.1 413")
    assert b"body_too_large" in got


def test_an_endless_chunked_body_is_refused_at_the_cap(agent):
    head = raw_request(agent.key, b"").replace(b"content-length: 0", b"transfer-encoding: chunked")
    piece = b"100000\r\n" + b" " * 0x100000 + b"\r\n"
    with socket.create_connection(("127.0.0.1", agent.port), timeout=10) as line:
        line.sendall(head)
        try:
            for _ in range(40):
                line.sendall(piece)
        except ConnectionError:
            pass
        assert line.recv(65536).startswith(b"HTTP/1.1 413")


def test_a_compressed_body_is_refused(agent, vendor):
    got = agent.chat(b"\x1f\x8b", content_encoding="gzip")
    assert (got.status, got.code) == (400, "body_encoded")
    assert agent.chat(content_encoding="identity").status == 200


@pytest.mark.parametrize("framing", ["gzip, chunked", "Chunked, identity"])
def test_a_coded_transfer_is_refused(agent, vendor, framing):
    head = raw_request(agent.key, b"").replace(
        b"content-length: 0", b"transfer-encoding: " + framing.encode()
    )
    got = exchange(agent.port, head + b"0\r\n\r\n")
    assert got.startswith(b"HTTP/1.1 400")
    assert not vendor.seen


def test_chunks_in_the_old_protocol_are_refused(agent, vendor):
    head = raw_request(agent.key, b"").replace(b"content-length: 0", b"transfer-encoding: chunked")
    got = exchange(agent.port, head.replace(b" HTTP/1.1\r\n", b" HTTP/1.0\r\n") + b"0\r\n\r\n")
    assert b" 400 " in got.split(b"\r\n")[0]
    assert not vendor.seen


def test_a_request_without_a_key_is_refused_before_its_body_is_read(served):
    got = exchange(
        served.port,
        b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: 1000\r\n\r\n",
        seconds=1,
    )
    assert got.startswith(b"HTTP/1.1 401")


def test_a_client_that_leaves_in_the_middle_of_its_body_leaves_nothing(agent, vendor):
    with socket.create_connection(("127.0.0.1", agent.port)) as line:
        line.sendall(raw_request(agent.key, b"x" * 10)[:-5])
    time.sleep(0.1)
    assert agent.entries() == []
    assert not vendor.seen


def test_a_body_that_does_not_come_is_not_waited_for(agent, monkeypatch):
    monkeypatch.setattr(requests, "BODY_SECONDS", 0.3)
    got = exchange(agent.port, raw_request(agent.key, b"x" * 10)[:-5])
    assert got.startswith(b"HTTP/1.1 400")
    assert b"body_broken" in got


def test_pipelined_calls_are_answered_in_order(agent):
    raw = json.dumps(BODY | {"model": agent.route}).encode()
    one = raw_request(agent.key, raw, "x-unsprawl-run: first")
    two = raw_request(agent.key, raw, "x-unsprawl-run: second", "connection: close")
    got = exchange(agent.port, one + two)
    assert got.count(b"HTTP/1.1 200") == 2
    runs = [line for line in got.split(b"\r\n") if line.startswith(b"x-unsprawl-run")]
    assert len(set(runs)) == 2


def test_what_is_not_served_is_a_404_in_a_vendors_shape(agent):
    for path in UNSERVED:
        got = agent.ask("GET", path)
        assert (got.status, got.code) == (404, "no_such_path"), path


def test_a_wrong_method_is_a_405(agent):
    assert agent.ask("GET", "/v1/chat/completions").code == "method_not_taken"
    assert agent.ask("POST", "/v1/models", b"{}").status == 405


def test_health_readiness_and_figures_need_no_key(served, agent):
    agent.chat()
    client = Client(served.port)
    assert client.ask("GET", "/healthz").json == {"status": "ok"}
    assert client.ask("GET", "/readyz").json == {"status": "ready"}
    figures = client.ask("GET", "/metrics").body.decode()
    assert 'unsprawl_gateway_requests_total{error="",operation="chat",status="200"}' in figures
    assert "unsprawl_gateway_snapshot_age_seconds" in figures
    assert agent.key not in figures


def test_figures_count_calls_that_run(served, agent, vendor):
    from tests.routing.gateway.scripted import STREAM, stream

    vendor.script = stream([STREAM[0]], linger=5)
    line, answer = agent.open_stream()
    answer.readline()
    figures = Client(served.port).ask("GET", "/metrics").body.decode()
    assert "unsprawl_gateway_open_calls 1.0" in figures
    line.close()
    answer.close()
    eventually(lambda: len(agent.calls()) == 1)
