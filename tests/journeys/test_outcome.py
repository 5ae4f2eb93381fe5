"""The outcome, end to end over real HTTP: register, approve, key, call, record, prove."""

from __future__ import annotations

import subprocess
import sys
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import openai
import pytest
import requests

from config.places import BASE_DIR
from tests.journeys.conftest import (
    Caller,
    Service,
    approved_agent,
    smallest_manifest,
)
from tests.journeys.vendor import Vendor, answer, completion, open_stream, send_chunk

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("journeys")]

SECRET = "sk-canary-9f81c2d0a7b34e5f"


def client_for(service: Service, key: str) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{service.gateway}/v1", api_key=key, max_retries=0, timeout=30)


def connect(service: Service, vendor: Vendor, name: str, model: str = "their-model") -> None:
    admin = service.admin
    admin.must("POST", "vendors", {"name": name, "dialect": "openai", "base_url": vendor.address})
    admin.must("PUT", f"vendors/{name}/secret", {"value": vendor.secret})
    admin.must("POST", f"vendors/{name}/models", {"name": model})
    admin.must("PUT", f"routes/{name}", {"targets": [{"vendor": name, "model": model}]})


def test_an_agent_goes_from_registration_to_a_recorded_verifiable_call(service: Service) -> None:
    owner = service.person("alice@acme.example", "employee")
    service.person("bob@acme.example", "employee")
    guard = service.person("sam@acme.example", "security,employee")
    registered = owner.must(
        "POST",
        "agents",
        smallest_manifest("invoice-sorter", "alice@acme.example", "bob@acme.example"),
    )
    assert registered["stage"] == "draft"

    early = owner("POST", "agents/invoice-sorter/keys", {})
    assert early.status_code in {409, 422}

    review = owner.must("POST", "agents/invoice-sorter/submit", {})
    own = owner("POST", f"reviews/{review['id']}/decisions", {"decision": "approve"})
    assert own.status_code == 403
    waiting = guard.must("GET", "reviews?state=open")["results"]
    assert review["id"] in {one["id"] for one in waiting}
    guard.must(
        "POST", f"reviews/{review['id']}/decisions", {"decision": "approve", "comment": "Good."}
    )
    assert owner.must("GET", "agents/invoice-sorter")["stage"] == "soft_launch"

    issued = owner.must("POST", "agents/invoice-sorter/keys", {"expires_in_days": 30})
    listed = owner.must("GET", "agents/invoice-sorter/keys")
    assert issued["key"] not in str(listed)

    client = client_for(service, issued["key"])
    raw = client.chat.completions.with_raw_response.create(
        model="sandbox",
        messages=[{"role": "user", "content": "Sort invoice 4711."}],
        extra_headers={"x-unsprawl-run": "first-run"},
    )
    said = raw.parse()
    assert said.choices[0].message.content
    assert raw.headers["x-unsprawl-route"] == "sandbox"
    assert raw.headers["x-unsprawl-model"] == "sandbox-1"
    run_id = raw.headers["x-unsprawl-run"]
    assert run_id.startswith("run_")

    streamed = client.chat.completions.create(
        model="sandbox",
        messages=[{"role": "user", "content": "Again, slowly."}],
        stream=True,
        extra_headers={"x-unsprawl-run": "first-run"},
    )
    assert "".join(chunk.choices[0].delta.content or "" for chunk in streamed if chunk.choices)
    assert [model.id for model in client.models.list()] == ["sandbox"]

    by_id = owner.must("GET", f"runs/{run_id}")
    by_label = owner.must("GET", "runs/first-run")
    assert by_id["id"] == by_label["id"] == run_id
    entries = owner.must("GET", f"runs/{run_id}/entries")["results"]
    kinds = [entry["kind"] for entry in entries]
    assert sorted(kinds) == ["intent", "intent", "result", "result"]
    assert raw.headers["x-unsprawl-entry"] in {entry["id"] for entry in entries}

    stranger = service.person("mallory@acme.example", "employee")
    assert stranger("GET", f"runs/{run_id}").status_code == 404
    # The inventory is for everybody; what is inside an agent is not.
    assert stranger("GET", "agents/invoice-sorter/keys").status_code == 403

    verified = service.manage("verify")
    assert verified.returncode == 0, verified.stdout + verified.stderr

    export = owner("GET", f"runs/{run_id}/export")
    assert export.status_code == 200
    path = service.data / "run.export"
    path.write_bytes(export.content)
    checked = check_alone(service, path)
    assert checked.returncode in {0, 2}, checked.stdout + checked.stderr  # 2: not in a tree yet

    owner.must("DELETE", f"agents/invoice-sorter/keys/{issued['id']}")
    with pytest.raises(openai.AuthenticationError):
        _until_refused(client)


def _until_refused(client: openai.OpenAI) -> None:
    for _ in range(200):
        client.chat.completions.create(model="sandbox", messages=[{"role": "user", "content": "?"}])


def check_alone(service: Service, path: Path) -> subprocess.CompletedProcess[str]:
    """Check an export as an auditor does, with the one file and the log's public key."""
    checker = BASE_DIR / "ledger/standalone/unsprawl_verify.py"
    command = [
        sys.executable,
        str(checker),
        str(path),
        "--key",
        str(service.data / "keys/ledger.pub"),
    ]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_intent_is_on_record_before_the_vendor_answers(service: Service) -> None:
    seen: dict[str, Any] = {}
    holder: dict[str, Caller] = {}

    def script(door: BaseHTTPRequestHandler, body: dict[str, Any]) -> None:
        seen["entries"] = holder["owner"].must("GET", "runs/witnessed/entries")["results"]
        answer(door, 200, completion("done", body["model"]))

    with Vendor(SECRET, script).serving() as vendor:
        connect(service, vendor, "witness-vendor")
        holder["owner"], key = approved_agent(service, "witnessed-agent", route="witness-vendor")
        client_for(service, key).chat.completions.create(
            model="witness-vendor",
            messages=[{"role": "user", "content": "hello"}],
            extra_headers={"x-unsprawl-run": "witnessed"},
        )
    assert [entry["kind"] for entry in seen["entries"]] == ["intent"]
    assert vendor.seen[0]["authorization"] == f"Bearer {SECRET}"
    assert vendor.seen[0]["model"] == "their-model"
    assert vendor.seen[0]["path"] == "/v1/chat/completions"


def test_a_stream_that_the_vendor_cuts_ends_in_an_error_and_not_in_done(service: Service) -> None:
    def script(door: BaseHTTPRequestHandler, body: dict[str, Any]) -> None:
        open_stream(door)
        send_chunk(door, "half of ", body["model"])
        send_chunk(door, "a sent", body["model"])

    with Vendor(SECRET, script).serving() as vendor:
        connect(service, vendor, "cutting-vendor")
        owner, key = approved_agent(service, "cut-agent", route="cutting-vendor")
        response = requests.post(
            f"{service.gateway}/v1/chat/completions",
            json={
                "model": "cutting-vendor",
                "stream": True,
                "messages": [{"role": "user", "content": "go"}],
            },
            headers={"Authorization": f"Bearer {key}", "x-unsprawl-run": "cut"},
            timeout=30,
        )
    assert "half of " in response.text
    assert "[DONE]" not in response.text
    assert '"error"' in response.text
    result = owner.must("GET", "runs/cut/entries")["results"][-1]
    assert result["kind"] == "result"
    assert result["verb"] == "call.cut"


def test_no_secret_is_ever_told(service: Service) -> None:
    def script(door: BaseHTTPRequestHandler, body: dict[str, Any]) -> None:
        answer(door, 500, {"error": {"message": "boom", "type": "server_error"}})

    with Vendor(SECRET, script).serving() as vendor:
        connect(service, vendor, "failing-vendor")
        owner, key = approved_agent(service, "failing-agent", route="failing-vendor")
        with pytest.raises(openai.InternalServerError):
            client_for(service, key).chat.completions.create(
                model="failing-vendor",
                messages=[{"role": "user", "content": "hello"}],
                extra_headers={"x-unsprawl-run": "failing"},
            )
    told = owner("GET", "runs/failing/entries").text
    told += service.admin("GET", "vendors/failing-vendor").text
    told += "".join(log.read_text(errors="replace") for log in service.data.glob("logs/*"))
    assert SECRET not in told
    assert key not in told


def test_an_unchanged_client_talks_to_a_real_local_model(service: Service, llama: str) -> None:
    admin = service.admin
    admin.must("POST", "vendors", {"name": "llama", "dialect": "openai", "base_url": llama})
    admin.must("PUT", "vendors/llama/secret", {"value": "not-checked-by-llama"})
    admin.must("POST", "vendors/llama/models", {"name": "tiny-random"})
    admin.must(
        "PUT", "routes/draft-text", {"targets": [{"vendor": "llama", "model": "tiny-random"}]}
    )
    tried = admin.must("POST", "vendors/llama/test", {})
    assert tried["ok"] is True, tried
    owner, key = approved_agent(service, "drafting-agent", route="draft-text")
    client = client_for(service, key)
    said = client.chat.completions.create(
        model="draft-text",
        messages=[{"role": "user", "content": "Write."}],
        max_tokens=8,
        extra_headers={"x-unsprawl-run": "draft"},
    )
    assert said.usage is not None
    assert said.usage.completion_tokens > 0
    parts = client.chat.completions.create(
        model="draft-text",
        messages=[{"role": "user", "content": "Write."}],
        max_tokens=8,
        stream=True,
        extra_headers={"x-unsprawl-run": "draft"},
    )
    assert [part for part in parts if part.choices]
    run = owner.must("GET", "runs/draft")
    assert run["calls"] == 2
    assert service.manage("verify").returncode == 0
