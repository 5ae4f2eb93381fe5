from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from policy.bundle import BASE, Bundle
from policy.engine import Judge
from policy.remote import RemoteJudge

PROVENANCE = {"version": "1.9.0", "bundles": {"unsprawl": {"revision": "r7"}}}
PATH = "/v1/data/unsprawl/calls/answer"


@pytest.fixture
def opa(httpserver: HTTPServer) -> HTTPServer:
    """An OPA server with the shipped bundle: its HTTP is played, its answers are an engine's."""
    engine_of = pytest.importorskip("regorus").Engine
    bundle = Bundle.load(BASE)

    def answer(request: Request) -> Response:
        engine = engine_of()  # one for each thread of the server
        for name, source in bundle.modules.items():
            engine.add_policy(name, source)
        engine.add_data_json(bundle.data.decode())
        engine.set_input_json(json.dumps(request.get_json()["input"]))
        result = engine.eval_rule("data.unsprawl.calls.answer")
        body = json.dumps({"result": result, "provenance": PROVENANCE})
        return Response(body, content_type="application/json")

    httpserver.expect_request(PATH, method="POST").respond_with_handler(answer)
    return httpserver


@pytest.fixture
def slow() -> Iterator[int]:
    """A server that answers one byte at a time, for ever."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        ended = threading.Event()

        def drip() -> None:
            connection, _ = listening.accept()
            with connection:
                connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 99999\r\n\r\n")
                while not ended.wait(0.05):
                    try:
                        connection.sendall(b" ")
                    except OSError:
                        return

        thread = threading.Thread(target=drip)
        thread.start()
        yield listening.getsockname()[1]
        ended.set()
        thread.join(60)


def test_a_server_of_ones_own_decides_as_the_embedded_engine_does(
    opa: HTTPServer, judge: Judge, good: dict[str, Any]
) -> None:
    remote = RemoteJudge(opa.url_for("/"), deadline_seconds=10)
    for stage in ("live", "draft"):
        good["agent"]["stage"] = stage
        here, there = judge.decide(good), remote.decide(good)
        assert (there.allow, there.rule, there.reason) == (here.allow, here.rule, here.reason)
        assert there.input_digest == here.input_digest
        assert there.bundle_digest == "opa:unsprawl=r7"


def test_its_decisions_are_never_kept(opa: HTTPServer, good: dict[str, Any]) -> None:
    remote = RemoteJudge(opa.url_for("/"), deadline_seconds=10)
    assert remote.decide(good).bundle_digest != remote.bundle_digest
    remote.close()


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b"not json",
        b"[1]",
        b'{"result": {"allow": true}, "result": {"allow": true}}',
        json.dumps({"provenance": PROVENANCE}).encode(),
        json.dumps({"result": True, "provenance": PROVENANCE}).encode(),
        b" " * 300_000,
    ],
)
def test_whatever_is_no_clean_answer_is_a_denial(
    httpserver: HTTPServer, good: dict[str, Any], body: bytes
) -> None:
    httpserver.expect_request(PATH).respond_with_data(body)
    decision = RemoteJudge(httpserver.url_for("/")).decide(good)
    assert not decision.allow
    assert decision.rule in {"policy.unclean", "policy.unavailable"}


@pytest.mark.parametrize(
    "provenance", [None, {}, {"bundles": {}}, {"bundles": {"a": {"revision": ""}}}]
)
def test_an_answer_without_the_name_of_its_bundle_is_a_denial(
    httpserver: HTTPServer, judge: Judge, good: dict[str, Any], provenance: Any
) -> None:
    here = judge.decide(good)
    result = {
        name: getattr(here, name) for name in ("allow", "ask", "rule", "reason", "constraints")
    }
    httpserver.expect_request(PATH).respond_with_json({"result": result, "provenance": provenance})
    assert RemoteJudge(httpserver.url_for("/")).decide(good).rule == "policy.unclean"


@pytest.mark.parametrize("status", [302, 400, 404, 500])
def test_another_status_is_a_denial(
    httpserver: HTTPServer, good: dict[str, Any], status: int
) -> None:
    headers = {"location": "http://127.0.0.1:1/"}
    httpserver.expect_request(PATH).respond_with_data(b"{}", status=status, headers=headers)
    assert RemoteJudge(httpserver.url_for("/")).decide(good).rule == "policy.unavailable"


def test_nobody_there_is_a_denial(good: dict[str, Any]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    assert RemoteJudge(f"http://127.0.0.1:{port}").decide(good).rule == "policy.unavailable"


def test_a_server_that_drips_is_cut_off_at_the_deadline(slow: int, good: dict[str, Any]) -> None:
    started = time.monotonic()
    remote = RemoteJudge(f"http://127.0.0.1:{slow}", deadline_seconds=0.3)
    assert remote.decide(good).rule == "policy.unavailable"
    assert time.monotonic() - started < 20


def test_facts_that_are_not_json_are_not_even_asked_about() -> None:
    decision = RemoteJudge("http://127.0.0.1:1").decide({"x": float("nan")})
    assert decision.rule == "policy.unclean"
