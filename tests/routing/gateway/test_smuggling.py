"""One request in is one request out: no second one hides in the framing, the path or a header."""

from __future__ import annotations

import json

import pytest

from tests.routing.gateway.conftest import BODY, raw_request
from tests.routing.gateway.scripted import SECRET
from tests.routing.gateway.test_wire import exchange

HEAD = "POST /v1/chat/completions HTTP/1.1\r\nhost: gateway\r\nauthorization: Bearer {key}\r\n"


def body_of(agent):
    return json.dumps(BODY | {"model": agent.route}).encode()


def chunk(body):
    return b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)


# The framing of an honest call's body, bent. `{n}` is the body's length, `{x}` the same in
# hexadecimal; behind the body comes a second call, for whoever reads the frame otherwise.
LENGTH = "content-length: {n}\r\n"
CODING = "transfer-encoding: chunked\r\n"
BENT = {
    "a length, and chunks": LENGTH + CODING,
    "chunks, and a length that is short": CODING + "content-length: 4\r\n",
    "chunked behind a tab": LENGTH + "transfer-encoding:\tchunked\r\n",
    "chunked behind a vertical tab": LENGTH + "transfer-encoding: \x0bchunked\r\n",
    "a space before the colon": LENGTH + "transfer-encoding : chunked\r\n",
    "chunked in two headers": "transfer-encoding: identity\r\n" + CODING,
    "chunked in quotes": LENGTH + 'transfer-encoding: "chunked"\r\n',
    "chunked on a folded line": LENGTH + "transfer-encoding:\r\n chunked\r\n",
    "two lengths, the first short": "content-length: 0\r\n" + LENGTH,
    "two lengths, the last short": LENGTH + "content-length: 0\r\n",
    "two lengths in one": "content-length: {n}, 0\r\n",
    "a signed length": "content-length: +{n}\r\n",
    "a negative length": "content-length: -1\r\n",
    "a length in hexadecimal": "content-length: 0x{x}\r\n",
    "a length with a fraction": "content-length: {n}.0\r\n",
    "a length past every number": "content-length: 99999999999999999999\r\n",
    "a length with a space in it": "content-length: 1 0\r\n",
    "a header without a name": ": chunked\r\n" + LENGTH,
    "a header behind a bare carriage return": "x-a: b\r" + CODING + LENGTH,
    "a header behind a bare line feed": "x-a: b\n" + CODING + LENGTH,
    "a NUL in a length": "content-length: {n}\x00\r\n",
}
CHUNKS = {
    "a size that is negative": b"-1\r\n",
    "a size with 0x": b"0x10\r\n0123456789abcdef\r\n0\r\n\r\n",
    "a size past every number": b"ffffffffffffffffff\r\n",
    "a size with a space": b"1 0\r\nx\r\n0\r\n\r\n",
    "a chunk longer than its size": b"1\r\nxxxxxxxx\r\n0\r\n\r\n",
    "a line feed for a line end in a size": b"0;a\nGET /healthz HTTP/1.1\r\nhost: x\r\n\r\n",
}


@pytest.mark.parametrize("kind", BENT)
def test_no_call_hides_behind_a_bent_frame(agent, vendor, kind):
    body = body_of(agent)
    said = BENT[kind].format(n=len(body), x=f"{len(body):x}")
    head = HEAD.format(key=agent.key) + said + "\r\n"
    hidden = raw_request(agent.key, body, "x-unsprawl-run: hidden", "connection: close")
    got = exchange(agent.port, head.encode("latin-1") + body + hidden, seconds=2)
    assert [line.split(b" ")[1] for line in got.split(b"\r\n") if line[:7] == b"HTTP/1."] in (
        [b"400"], [b"413"], [],
    )  # fmt: skip
    assert not vendor.seen
    assert agent.entries() == []


@pytest.mark.parametrize("kind", CHUNKS)
def test_bent_chunks_reach_nobody(agent, vendor, kind):
    head = HEAD.format(key=agent.key) + "transfer-encoding: chunked\r\n\r\n"
    got = exchange(agent.port, head.encode() + CHUNKS[kind], seconds=1)
    assert not vendor.seen
    assert got.count(b"HTTP/1.1 ") <= 1
    assert not got or got.startswith(b"HTTP/1.1 400")


def test_trailers_are_no_headers(agent, vendor):
    body = body_of(agent)
    head = HEAD.format(key=agent.key) + "transfer-encoding: chunked\r\nconnection: close\r\n\r\n"
    trailers = b"x-unsprawl-run: from-a-trailer\r\nauthorization: Bearer other\r\n\r\n"
    sent = head.encode() + chunk(body)[:-2] + trailers
    got = exchange(agent.port, sent, seconds=2)
    assert got.startswith((b"HTTP/1.1 200", b"HTTP/1.1 400"))
    assert not vendor.seen or vendor.seen[0].header("authorization") == f"Bearer {SECRET}"
    labels = agent.world.query("SELECT label FROM routing_run WHERE label = 'from-a-trailer'")
    assert labels == []


FORMS = [
    "http://elsewhere.example/v1/chat/completions", "*", "//v1/chat/completions",
    "/v1//chat/completions", "/v1/./chat/completions", "/v1/x/../chat/completions",
    "/v1/chat%2fcompletions", "/v1/%63hat/completions", "/v1/chat/completions%00",
    "/v1/chat/completions;x=1", "/v1/chat/completions%3Fx", "/v1%2f..%2fv1/chat/completions",
    "/v1/chat/%c0%afcompletions", "/v1/chat/completions/..", "/V1/CHAT/COMPLETIONS",
    "/v1/chat/completions#x", "\\v1\\chat\\completions",
]  # fmt: skip


@pytest.mark.parametrize("path", FORMS)
def test_a_path_in_disguise_is_the_path_that_policy_sees_or_none(agent, vendor, path):
    body = body_of(agent)
    sent = raw_request(agent.key, body, "connection: close").replace(
        b"/v1/chat/completions", path.encode(), 1
    )
    got = exchange(agent.port, sent, seconds=3)
    if got.startswith(b"HTTP/1.1 200"):
        assert [seen.path for seen in vendor.seen] == ["/v1/chat/completions"]
        assert agent.entries()[0]["facts"]["operation"] == "chat"
    else:
        assert got.split(b" ")[1] in {b"400", b"404", b"405"}
        assert not vendor.seen


def test_a_header_that_names_another_as_hop_by_hop_takes_nothing_away(agent, vendor):
    body = body_of(agent)
    got = exchange(
        agent.port,
        raw_request(agent.key, body, "connection: close, authorization, x-api-key"),
    )
    assert got.startswith(b"HTTP/1.1 200")
    assert vendor.seen[0].header("authorization") == f"Bearer {SECRET}"


def test_no_header_of_an_agent_makes_it_another_or_reaches_the_vendor(agent, make_agent, vendor):
    other = make_agent()
    got = agent.chat(
        None,
        host="vendor.example",
        x_forwarded_for="10.0.0.1",
        x_forwarded_host="elsewhere.example",
        x_forwarded_proto="https",
        forwarded="for=10.0.0.1",
        x_real_ip="10.0.0.1",
        x_original_url="/internal/vendors",
        x_http_method_override="DELETE",
        cookie="a=b",
        proxy_authorization=f"Bearer {other.key}",
        openai_organization="org-x",
        te="trailers",
        upgrade="h2c",
    )
    assert got.status == 200
    assert agent.entries()[0]["agent"] == agent.row.public_id
    assert {name for name, _ in vendor.seen[0].headers} == {
        "host", "content-type", "accept", "accept-encoding", "user-agent", "authorization",
        "content-length",
    }  # fmt: skip
    assert vendor.seen[0].header("host") == f"127.0.0.1:{vendor.port}"


@pytest.mark.parametrize("name", ["x_api_key", "x-api-key ", "authorization_", "x-api.key"])
def test_a_key_in_a_header_that_is_nearly_one_is_no_key(agent, vendor, name):
    sent = raw_request(agent.key, body_of(agent), "connection: close").replace(
        b"authorization: Bearer ", name.encode() + b": "
    )
    got = exchange(agent.port, sent, seconds=2)
    assert got.split(b" ")[1] in {b"400", b"401"}
    assert not vendor.seen
