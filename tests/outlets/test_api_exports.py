from __future__ import annotations

import asyncio
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from django.core.handlers.asgi import ASGIRequest

from ledger.exports.signing import ExportSigner
from ledger.models import Entry
from ledger.queries import seen
from outlets.actions import exporting
from outlets.actions.making import make_exports
from outlets.models import Export
from outlets.serving import file_response
from registry.actors import Actor
from tests.factories import Cast, client_of
from tests.ledger.exports.reader import read
from tests.ledger.trees import Tree

pytestmark = pytest.mark.django_db(transaction=True)


def body_of(answer: Any) -> bytes:
    return b"".join(answer)


def test_a_run_is_exported_at_once_for_those_who_see_it(
    cast: Cast, run: Any, signer: ExportSigner
) -> None:
    Tree().open().grow()
    answer = client_of(cast.alice).get(f"/api/v1/runs/{run.run_id}/export")
    assert answer.status_code == 200
    assert answer["Content-Type"] == "application/jsonl"
    assert answer["Content-Disposition"] == f'attachment; filename="{run.run_id}.jsonl"'
    raw = body_of(answer)
    assert int(answer["Content-Length"]) == len(raw)
    assert read(raw, signer.vkey).proven == 6
    entry = seen(Entry.objects.get(verb="export.made"))
    assert (entry.actor, entry.facts["of"]) == (str(cast.alice.ref), run.run_id)
    by_label = client_of(cast.bob).get("/api/v1/runs/nightly/export?payloads=false&reason=audit")
    assert read(body_of(by_label), signer.vkey).end["payloads"] == 0


def test_a_run_that_is_not_ones_own_cannot_be_exported(cast: Cast, run: Any) -> None:
    assert client_of(cast.mallory).get(f"/api/v1/runs/{run.run_id}/export").status_code == 404
    refused = client_of(cast.mallory).post(
        "/api/v1/exports", {"run": run.run_id, "reason": "curious"}
    )
    assert refused.status_code == 404
    assert client_of().get(f"/api/v1/runs/{run.run_id}/export").status_code == 401
    assert not Entry.objects.filter(verb__startswith="export.").exists()


def test_what_is_too_large_is_made_as_a_job(
    cast: Cast, run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exporting, "NOW_ENTRIES", 3)
    answer = client_of(cast.alice).get(f"/api/v1/runs/{run.run_id}/export")
    assert (answer.status_code, answer.json()["code"]) == (422, "outlets.export_too_large")


def test_a_disk_that_takes_nothing_is_said(cast: Cast, run: Any, export_dir: Path) -> None:
    Tree().open().grow()
    export_dir.mkdir()
    (export_dir / "working").write_text("in the way")
    answer = client_of(cast.alice).get(f"/api/v1/runs/{run.run_id}/export")
    assert (answer.status_code, answer.json()["code"]) == (503, "outlets.export_not_writable")
    assert "File exists" in answer.json()["detail"]
    assert not Entry.objects.filter(verb="export.made").exists()


def test_a_fifth_export_at_once_waits(cast: Cast, run: Any) -> None:
    for _ in range(4):
        assert exporting.AT_ONCE.acquire(blocking=False)
    try:
        answer = client_of(cast.alice).get(f"/api/v1/runs/{run.run_id}/export")
    finally:
        exporting.AT_ONCE.release(4)
    assert (answer.status_code, answer.json()["code"]) == (503, "outlets.exports_busy")
    assert answer["Retry-After"] == "5"


@pytest.mark.parametrize(
    ("scope", "allowed"),
    [
        ({"whole": True}, {"sam", "sue", "ann"}),
        ({"agent": "sorter"}, {"sam", "sue", "ann"}),
        ({"since": "2026-01-01T00:00:00Z"}, {"sam", "sue", "ann"}),
        ({"run": "nightly"}, {"alice", "bob", "sam", "sue", "ann", "pat"}),
    ],
)
def test_who_may_export_what(cast: Cast, run: Any, scope: Any, allowed: set[str]) -> None:
    for name in ("alice", "bob", "mallory", "sam", "sue", "pat", "ann"):
        client = client_of(getattr(cast, name))
        answer = client.post("/api/v1/exports", {**scope, "reason": "audit"})
        assert (answer.status_code == 202) == (name in allowed), (name, answer.content)


def test_a_token_narrowed_to_audit_is_enough_for_an_outsider(cast: Cast, run: Any) -> None:
    narrowed = client_of(cast.sam, ["auditor"])
    assert narrowed.post("/api/v1/exports", {"whole": True, "reason": "a"}).status_code == 403
    auditor = client_of(cast.ann, ["auditor"])
    assert auditor.post("/api/v1/exports", {"whole": True, "reason": "a"}).status_code == 202


def test_a_job_is_asked_for_watched_and_fetched_in_ranges(
    cast: Cast, run: Any, signer: ExportSigner
) -> None:
    Tree().open().grow()
    client = client_of(cast.ann)
    asked = client.post("/api/v1/exports", {"whole": True, "reason": "The yearly audit."})
    address = asked["Location"]
    assert asked.json()["state"] == "waiting"
    early = client.get(f"{address}/file")
    assert (early.status_code, early.json()["code"]) == (409, "outlets.export_not_ready")
    make_exports(actor=Actor.system("exports"))
    shown = client.get(address).json()
    assert (shown["state"], shown["percent"], shown["entries"]) == ("ready", 100, 6)
    whole = client.get(shown["download"])
    raw = body_of(whole)
    assert read(raw, signer.vkey).proven == 6
    middle = client.get(shown["download"], HTTP_RANGE=f"bytes=10-{len(raw) - 11}")
    assert middle.status_code == 206
    assert middle["Content-Range"] == f"bytes 10-{len(raw) - 11}/{len(raw)}"
    assert body_of(middle) == raw[10:-10]
    assert body_of(client.get(shown["download"], HTTP_RANGE="bytes=-7")) == raw[-7:]
    beyond = client.get(shown["download"], HTTP_RANGE=f"bytes={len(raw)}-")
    assert beyond.status_code == 416
    changed = client.get(shown["download"], HTTP_RANGE="bytes=5-", HTTP_IF_RANGE='"other"')
    assert changed.status_code == 200
    body_of(changed)


def test_exports_are_listed_to_their_askers_and_those_who_oversee(cast: Cast, run: Any) -> None:
    client_of(cast.alice).post("/api/v1/exports", {"run": "nightly", "reason": "mine"})
    client_of(cast.sam).post("/api/v1/exports", {"whole": True, "reason": "audit"})
    seen_by = {
        name: len(client_of(getattr(cast, name)).get("/api/v1/exports").json()["results"])
        for name in ("alice", "bob", "mallory", "sam", "pat", "ann")
    }
    assert seen_by == {"alice": 1, "bob": 0, "mallory": 0, "sam": 2, "pat": 2, "ann": 2}
    other = Export.objects.get(reason="audit").public_id
    assert client_of(cast.alice).get(f"/api/v1/exports/{other}").status_code == 404
    assert client_of(cast.alice).delete(f"/api/v1/exports/{other}").status_code == 404
    assert client_of(cast.pat).delete(f"/api/v1/exports/{other}").status_code == 403
    assert client_of(cast.sam).delete(f"/api/v1/exports/{other}").json()["state"] == "cancelled"


@pytest.mark.parametrize(
    "scope",
    [
        {}, {"run": "nightly", "whole": True}, {"run": "nightly", "since": "2026-01-01T00:00:00Z"},
        {"since": "2026-02-01T00:00:00Z", "until": "2026-01-01T00:00:00Z"},
    ],
)  # fmt: skip
def test_an_unclear_scope_is_refused(cast: Cast, run: Any, scope: Any) -> None:
    answer = client_of(cast.sam).post("/api/v1/exports", {**scope, "reason": "audit"})
    assert (answer.status_code, answer.json()["code"]) == (422, "outlets.scope_not_usable")


def test_the_web_server_sends_a_file_without_reading_it_into_memory(tmp_path: Path) -> None:
    request = ASGIRequest({"type": "http", "method": "GET", "path": "/", "headers": []}, BytesIO())
    (tmp_path / "file").write_bytes(b"x" * 3_000_000)
    file = (tmp_path / "file").open("rb")
    answer: Any = file_response(request, file, 3_000_000, name="a", tag="t")

    async def read_all() -> list[int]:
        return [len(piece) async for piece in answer]

    assert asyncio.run(read_all()) == [1048576, 1048576, 902848]
    answer.close()
    assert file.closed
