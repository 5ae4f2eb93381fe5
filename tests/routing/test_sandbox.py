from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openai
import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st

from routing.sandbox.__main__ import main
from routing.sandbox.answers import MODEL, Refused, answer_to, chunks, count_tokens, whole
from routing.sandbox.secret import Note, NoteKeeper, digest_of, read_note

SECRET = "sandbox-secret-of-this-test"
ASK = {"model": MODEL, "messages": [{"role": "user", "content": "Sort invoice 4711, please."}]}


@pytest.fixture(scope="module")
def note(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("sandbox") / "sandbox.json"
    path.write_text(json.dumps({"secret_id": "sec_1", "sha256": digest_of(SECRET)}))
    return path


@pytest.fixture(scope="module")
def server(note: Path) -> Iterator[tuple[str, int]]:
    """The real process on a free port: its address and its pid."""
    process = subprocess.Popen(
        [sys.executable, "-m", "routing.sandbox", "--port", "0", "--note", str(note)],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    port = process.stdout.readline().rpartition(":")[2].strip()
    yield f"http://127.0.0.1:{port}", process.pid
    process.send_signal(signal.SIGTERM)
    assert process.wait(10) == 0
    process.stdout.close()


@pytest.fixture(scope="module")
def url(server: tuple[str, int]) -> str:
    return server[0]


@pytest.fixture
def client(url: str) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{url}/v1", api_key=SECRET, max_retries=0) as one:
        yield one


def post(url: str, body: object, secret: str = SECRET) -> requests.Response:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return requests.post(
        f"{url}/v1/chat/completions",
        data=raw,
        headers={"authorization": f"Bearer {secret}"},
        timeout=10,
    )


def test_an_unchanged_client_gets_an_answer_that_says_what_it_is(client: openai.OpenAI) -> None:
    said = client.chat.completions.create(
        model=MODEL, messages=[{"role": "user", "content": "Sort invoice 4711, please."}]
    )
    assert said.choices[0].message.content == (
        "sandbox-1: no model behind it. You said (4 words): Sort invoice 4711, please."
    )
    assert said.choices[0].finish_reason == "stop"
    assert said.model == MODEL
    assert said.usage is not None
    assert said.usage.prompt_tokens == 6
    assert said.usage.total_tokens == 6 + said.usage.completion_tokens


def test_the_same_request_gets_the_same_answer(client: openai.OpenAI) -> None:
    first, second = (
        client.chat.completions.create(model=MODEL, messages=[{"role": "user", "content": "Hi"}])
        for _ in range(2)
    )
    assert first.choices == second.choices
    assert first.id == second.id
    assert first.usage == second.usage


def test_a_stream_carries_the_same_text_and_usage_only_when_asked(client: openai.OpenAI) -> None:
    plain = client.chat.completions.create(
        model=MODEL, messages=[{"role": "user", "content": "Hi"}]
    )
    bare = list(
        client.chat.completions.create(
            model=MODEL, messages=[{"role": "user", "content": "Hi"}], stream=True
        )
    )
    counted = list(
        client.chat.completions.create(
            model=MODEL,
            messages=[{"role": "user", "content": "Hi"}],
            stream=True,
            stream_options={"include_usage": True},
        )
    )
    for pieces in (bare, counted):
        text = "".join(chunk.choices[0].delta.content or "" for chunk in pieces if chunk.choices)
        assert text == plain.choices[0].message.content
    assert all(chunk.usage is None for chunk in bare)
    assert counted[-1].usage == plain.usage
    assert counted[-1].choices == []


def test_a_stream_ends_with_done_and_the_connection_stays_usable(url: str) -> None:
    with requests.Session() as session:
        session.headers["authorization"] = f"Bearer {SECRET}"
        for _ in range(2):
            said = session.post(
                f"{url}/v1/chat/completions", json={**ASK, "stream": True}, timeout=10
            )
            assert said.headers["content-type"].startswith("text/event-stream")
            assert said.text.endswith("data: [DONE]\n\n")
        assert session.get(f"{url}/v1/models", timeout=10).json()["data"][0]["id"] == MODEL


def test_models_are_listed_and_found(client: openai.OpenAI) -> None:
    assert [model.id for model in client.models.list()] == [MODEL]
    assert client.models.retrieve(MODEL).owned_by == "unsprawl-sandbox"
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("gpt-5")


def test_max_tokens_cuts_the_answer_and_says_so(client: openai.OpenAI) -> None:
    said = client.chat.completions.create(
        model=MODEL, messages=[{"role": "user", "content": "Hi"}], max_tokens=3
    )
    assert said.choices[0].finish_reason == "length"
    assert said.usage is not None
    assert said.usage.completion_tokens == 3


def test_several_choices_are_all_counted(client: openai.OpenAI) -> None:
    said = client.chat.completions.create(
        model=MODEL, messages=[{"role": "user", "content": "Hi"}], n=3
    )
    assert [choice.index for choice in said.choices] == [0, 1, 2]
    assert said.usage is not None
    assert said.usage.completion_tokens % 3 == 0


@pytest.mark.parametrize("secret", ["", "wrong", SECRET + "x", SECRET[:-1]])
def test_a_wrong_secret_is_refused_in_the_dialect(url: str, secret: str) -> None:
    refused = post(url, ASK, secret)
    assert refused.status_code == 401
    assert refused.json()["error"]["code"] == "invalid_api_key"
    assert secret not in refused.text or not secret


@pytest.mark.parametrize("path", ["/v1/models", "/v1/models/sandbox-1", "/v1/anything", "/"])
def test_nothing_but_health_is_answered_without_the_secret(url: str, path: str) -> None:
    assert requests.get(url + path, timeout=10).status_code == 401
    assert requests.get(f"{url}/healthz", timeout=10).json() == {"status": "ok"}


@pytest.mark.parametrize(
    ("body", "status", "code", "param"),
    [
        (b"{", 400, None, None),
        (b'{"model": "sandbox-1", "model": "x"}', 400, None, None),
        (b'{"model": NaN}', 400, None, None),
        (b"\xff", 400, None, None),
        ([], 400, None, None),
        ({**ASK, "seed": 2**60}, 400, None, None),
        ({**ASK, "model": "gpt-5"}, 404, "model_not_found", "model"),
        ({**ASK, "model": None}, 400, None, "model"),
        ({**ASK, "messages": []}, 400, None, "messages"),
        ({**ASK, "messages": "hi"}, 400, None, "messages"),
        ({**ASK, "messages": [{"role": "user"}]}, 400, None, "messages"),
        ({**ASK, "messages": [{"role": "user", "content": ["x"]}]}, 400, None, "messages"),
        ({**ASK, "n": 0}, 400, None, "n"),
        ({**ASK, "n": 9}, 400, None, "n"),
        ({**ASK, "n": True}, 400, None, "n"),
        ({**ASK, "max_tokens": "many"}, 400, None, "max_tokens"),
        ({**ASK, "stream": 1}, 400, None, "stream"),
        ({**ASK, "stream": "yes"}, 400, None, "stream"),
        ({**ASK, "stream_options": []}, 200, None, None),
        ({**ASK, "stream_options": [1]}, 400, None, "include_usage"),
    ],
)
def test_a_bad_request_is_refused_in_the_dialect(
    url: str, body: object, status: int, code: str | None, param: str | None
) -> None:
    said = post(url, body)
    assert said.status_code == status
    if status != 200:
        error = said.json()["error"]
        assert (error["code"], error["param"]) == (code, param)
        assert error["type"] == "invalid_request_error"
        assert error["message"]


def test_tools_images_and_unknown_fields_are_answered_in_plain_text(url: str) -> None:
    content = [
        {"type": "text", "text": "What is this?"},
        {"type": "image_url", "image_url": {"url": "data:,"}},
    ]
    tool = {"type": "function", "function": {"name": "look", "parameters": {}}}
    said = post(
        url,
        {**ASK, "messages": [{"role": "user", "content": content}], "tools": [tool], "x": 1},
    ).json()
    assert said["choices"][0]["message"]["content"].endswith("What is this? [image_url]")


def test_bytes_that_are_not_http_get_an_answer_and_the_door(url: str) -> None:
    port = int(url.rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port), timeout=10) as raw:
        raw.sendall(b"\x16\x03\x01 hello\r\n\r\n")
        assert raw.recv(4096).startswith(b"HTTP/1.1 400 ")
        while raw.recv(4096):
            continue


def test_a_body_beyond_the_cap_is_refused(url: str) -> None:
    port = int(url.rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port), timeout=10) as raw:
        raw.sendall(
            b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: 999999999\r\n\r\n"
        )
        block = b" " * 1_000_000
        try:
            for _ in range(20):
                raw.sendall(block)
            assert raw.recv(20).startswith(b"HTTP/1.1 413 ")
        except ConnectionError:
            pass  # the answer was lost with the reset: refused all the same


def test_a_large_body_may_ask_first(url: str) -> None:
    port = int(url.rpartition(":")[2])
    body = json.dumps(ASK).encode()
    with socket.create_connection(("127.0.0.1", port), timeout=10) as raw:
        raw.sendall(
            b"POST /v1/chat/completions?beta=true HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\n"
            b"authorization: bearer %b\r\ncontent-length: %d\r\nconnection: close\r\n\r\n"
            % (SECRET.encode(), len(body))
        )
        assert raw.recv(4096) == b"HTTP/1.1 100 Continue\r\n\r\n"
        raw.sendall(body)
        answered = b"".join(iter(lambda: raw.recv(65536), b""))
    assert answered.startswith(b"HTTP/1.1 200 OK\r\n")


def test_a_caller_that_hangs_up_harms_nobody(url: str) -> None:
    port = int(url.rpartition(":")[2])
    for _ in range(5):
        with socket.create_connection(("127.0.0.1", port), timeout=10) as raw:
            raw.sendall(b"POST /v1/chat/completions HTTP/1.1\r\ncontent-length: 10\r\n\r\n{")
    assert requests.get(f"{url}/healthz", timeout=10).ok


def test_many_callers_are_answered_at_once(url: str) -> None:
    async def ask_all() -> list[str]:
        async with openai.AsyncOpenAI(base_url=f"{url}/v1", api_key=SECRET) as client:
            said = await asyncio.gather(
                *(
                    client.chat.completions.create(
                        model=MODEL, messages=[{"role": "user", "content": f"number {i}"}]
                    )
                    for i in range(50)
                )
            )
        return [str(one.choices[0].message.content) for one in said]

    assert [text.split()[-1] for text in asyncio.run(ask_all())] == [str(i) for i in range(50)]


def test_it_idles_in_little_memory(server: tuple[str, int]) -> None:
    status = Path(f"/proc/{server[1]}/status").read_text()
    found = re.search(r"VmRSS:\s+(\d+) kB", status)
    assert found is not None
    assert int(found[1]) < 60_000


def test_a_taken_port_is_said_plainly(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    port = url.rpartition(":")[2]
    assert main(["--port", port]) == 1
    assert f"port {port}" in capsys.readouterr().err


def test_a_note_that_is_missing_or_spoilt_fits_no_secret(tmp_path: Path) -> None:
    path = tmp_path / "sandbox.json"
    keeper = NoteKeeper(path)
    assert keeper.sha256() == ""
    path.write_text("{")
    assert keeper.sha256() == ""
    assert read_note(path) == Note()
    path.write_text(json.dumps({"secret_id": "sec_2", "sha256": "ab"}))
    os.utime(path, ns=(1, 1))
    assert keeper.sha256() == "ab"


@given(text=st.text(max_size=60), limit=st.none() | st.integers(1, 40), n=st.integers(1, 8))
def test_pieces_always_make_the_whole(text: str, limit: int | None, n: int) -> None:
    request: dict[str, Any] = {
        "model": MODEL,
        "messages": [{"role": "user", "content": text}],
        "n": n,
        "max_completion_tokens": limit,
        "stream_options": {"include_usage": True},
    }
    try:
        answer = answer_to(request)
    except ValueError:
        return  # half a surrogate pair: refused at the edge
    document = whole(answer, 0)
    written = chunks(answer, 0)
    for index in range(n):
        text_of_choice = "".join(
            chunk["choices"][0]["delta"].get("content", "")
            for chunk in written[:-1]
            if chunk["choices"][0]["index"] == index
        )
        assert text_of_choice == document["choices"][index]["message"]["content"]
    assert written[-1]["usage"] == document["usage"]
    assert document["usage"]["completion_tokens"] == n * count_tokens(answer.text)


def test_a_refusal_is_a_document_of_the_dialect() -> None:
    assert Refused(503, "Later.", None).document["error"]["type"] == "server_error"
