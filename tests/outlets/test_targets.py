"""Copies outside: a folder, a bucket, by the clock, without a gap, and called late when late."""

from __future__ import annotations

import hashlib
import os
import re
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from credentials.broker import SecretText
from kernel import clock
from ledger.exports.scope import Period
from ledger.exports.signing import ExportSigner
from ledger.models import Entry
from outlets.actions.exporting import ask_export, cancel_export, finished_path
from outlets.actions.making import expire_exports, make_exports
from outlets.actions.targets import (
    WantedTarget,
    add_schedule,
    add_target,
    end_schedule,
    follow_schedules,
    remove_target,
)
from outlets.errors import ScheduleGoesOn, TargetNotUsable
from outlets.models import Export, Schedule, Target
from outlets.queries.targets import next_after
from outlets.targets import s3
from outlets.targets.signature import Signer
from registry.actors import Actor
from tests.clients.installed import NotInstallable, python_with
from tests.factories import Cast, actor, client_of
from tests.ledger.exports.reader import read
from tests.ledger.test_verification import call
from tests.ledger.trees import Tree
from tests.ports import free_port

pytestmark = pytest.mark.django_db(transaction=True)
SECRET = "s3-canary-8d1e6f3a7c50/Kq+Z"
WORKER = Actor.system("exports")


class Storage:
    """Enough of S3 to take an upload in parts, and to refuse what is not signed as it must be."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.uploads: dict[str, dict[int, bytes]] = {}
        self.begun: list[dict[str, str]] = []
        self.refused = 0
        self.fails = 0  # so many parts are answered with 503 first
        self.port = 0


@contextmanager
def storage_server() -> Iterator[Storage]:  # noqa: C901  a server in one place
    kept = Storage()

    class Door(BaseHTTPRequestHandler):
        def _body(self) -> bytes:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            if not _is_signed(self, body):
                kept.refused += 1
                self._answer(403, b"<Error><Code>SignatureDoesNotMatch</Code></Error>")
                raise ConnectionError
            return body

        def _answer(self, status: int, body: bytes = b"", tag: str = "") -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            if tag:
                self.send_header("ETag", tag)
            self.end_headers()
            self.wfile.write(body)

        def do_POST(self) -> None:
            body, query = self._body(), dict(parse_qsl(urlsplit(self.path).query, True))
            key = urlsplit(self.path).path.removeprefix("/vault/")
            if "uploads" in query:
                upload = f"up/{len(kept.begun)}+=&?"
                kept.begun.append({name.lower(): value for name, value in self.headers.items()})
                kept.uploads[upload] = {}
                text = upload.replace("&", "&amp;")
                self._answer(200, f"<R><UploadId>{text}</UploadId></R>".encode())
                return
            parts = kept.uploads.pop(query["uploadId"], None)
            if parts is None:
                self._answer(404, b"<Error><Code>NoSuchUpload</Code></Error>")
                return
            assert body.count(b"<Part>") == len(parts)
            kept.objects[key] = b"".join(parts[number] for number in sorted(parts))
            self._answer(200, b"<CompleteMultipartUploadResult/>")

        def do_PUT(self) -> None:
            body, query = self._body(), dict(parse_qsl(urlsplit(self.path).query))
            if kept.fails:
                kept.fails -= 1
                self._answer(503, b"<Error><Code>SlowDown</Code></Error>")
                return
            if query["uploadId"] not in kept.uploads:
                self._answer(404, b"<Error><Code>NoSuchUpload</Code></Error>")
                return
            kept.uploads[query["uploadId"]][int(query["partNumber"])] = body
            self._answer(200, tag=f'"{hashlib.md5(body).hexdigest()}"')  # noqa: S324

        def do_DELETE(self) -> None:
            self._body()
            kept.uploads.pop(dict(parse_qsl(urlsplit(self.path).query))["uploadId"])
            self._answer(204)

        def log_message(self, *args: Any) -> None:
            return

    class Server(ThreadingHTTPServer):
        def handle_error(self, request: Any, client_address: Any) -> None:
            return

    server = Server(("127.0.0.1", 0), Door)
    kept.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield kept
    server.shutdown()
    server.server_close()
    thread.join()


def _is_signed(door: BaseHTTPRequestHandler, body: bytes) -> bool:
    found = re.fullmatch(
        r"AWS4-HMAC-SHA256 Credential=AKIATEST/\d{8}/eu-test-1/s3/aws4_request, "
        r"SignedHeaders=([a-z0-9;-]+), Signature=[0-9a-f]{64}",
        door.headers["Authorization"],
    )
    if found is None or door.headers["x-amz-content-sha256"] != hashlib.sha256(body).hexdigest():
        return False
    ours = {"host", "x-amz-date", "x-amz-content-sha256"}
    signed = {name: door.headers[name] for name in found[1].split(";") if name not in ours}
    at = datetime.strptime(door.headers["x-amz-date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    parts = urlsplit(door.path)
    again = Signer("AKIATEST", SECRET, "eu-test-1").headers(
        door.command, door.headers["host"], parts.path,
        dict(parse_qsl(parts.query, keep_blank_values=True)), signed,
        hashlib.sha256(body).hexdigest(), at=at,
    )  # fmt: skip
    return again["Authorization"] == door.headers["Authorization"]


def test_a_signature_is_the_one_that_the_specification_computes() -> None:
    # The example "GET Object" of the S3 reference, "Signature Calculations".
    signer = Signer("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "us-east-1")
    sent = signer.headers(
        "GET", "examplebucket.s3.amazonaws.com", "/test.txt", {}, {"range": "bytes=0-9"},
        hashlib.sha256(b"").hexdigest(), at=datetime(2013, 5, 24, tzinfo=UTC),
    )  # fmt: skip
    assert sent["Authorization"].endswith(
        "Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"
    )


def bucket_target(cast: Cast, port: int, **over: Any) -> Target:
    given: dict[str, Any] = {
        "name": "vault", "kind": "s3", "endpoint": f"http://127.0.0.1:{port}", "bucket": "vault",
        "region": "eu-test-1", "access_key": "AKIATEST", "secret": SECRET, "prefix": "log/",
    }  # fmt: skip
    return add_target(WantedTarget(**given | over), actor=actor(cast.pat))


def copied(cast: Cast, target: Target) -> Export:
    export = ask_export(
        Period(()), "Everything", actor=actor(cast.sam), payloads=True, reason="A copy.",
        target=target.public_id,
    )  # fmt: skip
    make_exports(actor=WORKER)
    export.refresh_from_db()
    return export


def test_a_file_goes_to_a_bucket_in_parts(
    cast: Cast, run: Any, signer: ExportSigner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(s3, "LEAST_PART", 2000)
    Tree().open().grow()
    with storage_server() as storage:
        export = copied(cast, bucket_target(cast, storage.port, lock_days=30))
        assert (export.state, export.failure) == ("ready", "")
    (key,) = storage.objects
    assert export.place == f"s3://vault/{key}"
    assert key == f"log/{export.filename}"
    assert storage.objects[key] == finished_path(export).read_bytes()
    assert len((export.sent or {})["tags"]) > 2
    assert storage.begun[0]["x-amz-object-lock-mode"] == "COMPLIANCE"
    assert storage.refused == 0
    read(storage.objects[key], signer.vkey)


def test_a_part_that_failed_is_sent_again_and_no_other(
    cast: Cast, run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(s3, "LEAST_PART", 2000)
    with storage_server() as storage:
        storage.fails = 1
        export = copied(cast, bucket_target(cast, storage.port))
        assert (export.state, export.attempts) == ("sending", 1)
        assert export.failure == "The storage did not take the file"
        storage.uploads.clear()  # it was cleaned away there
        for _ in range(2):
            Export.objects.update(again_at=None)
            make_exports(actor=WORKER)
        export.refresh_from_db()
    assert export.state == "ready"
    assert len(storage.objects) == 1


def test_an_upload_that_nobody_completes_is_aborted(cast: Cast, run: Any) -> None:
    with storage_server() as storage:
        storage.fails = 1
        export = copied(cast, bucket_target(cast, storage.port))
        assert len(storage.uploads) == 1
        cancel_export(export, actor=actor(cast.sam))
        expire_exports(actor=WORKER)
        assert storage.uploads == {}
    assert not finished_path(export).exists()


def test_a_wrong_secret_is_said_to_be_refused(cast: Cast, run: Any) -> None:
    with storage_server() as storage:
        export = copied(cast, bucket_target(cast, storage.port, secret="wrong-" + SECRET))
    assert (export.state, export.attempts) == ("sending", 1)
    assert storage.objects == {}


def test_a_folder_keeps_its_copies(
    cast: Cast, run: Any, export_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced, sync = set[int](), os.fsync

    def noted(descriptor: int) -> None:
        synced.add(os.fstat(descriptor).st_ino)
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", noted)
    target = add_target(WantedTarget("nas", "directory", prefix="nightly"), actor=actor(cast.pat))
    export = copied(cast, target)
    assert export.place == f"kept/nightly/{export.filename}"
    kept = export_dir / export.place
    assert kept.read_bytes() == finished_path(export).read_bytes()
    assert {kept.stat().st_ino, kept.parent.stat().st_ino} <= synced  # its name is on disk, too


def test_copies_follow_each_other_without_a_gap(
    cast: Cast, run: Any, signer: ExportSigner, export_dir: Path
) -> None:
    tree = Tree().open()
    target = add_target(WantedTarget("nas", "directory"), actor=actor(cast.pat))
    schedule = add_schedule(
        target, "day", actor=actor(cast.sam), payloads=False, reason="Kept elsewhere."
    )
    moment = clock.now()
    for day in range(3):
        call("run_x")
        tree.grow()
        with clock.held_at(moment + timedelta(days=day, seconds=1)):
            assert follow_schedules(actor=WORKER) == 1
            assert follow_schedules(actor=WORKER) == 0
            make_exports(actor=WORKER)
    with clock.held_at(moment + timedelta(days=4)):
        tree.grow()
        follow_schedules(actor=WORKER)
        make_exports(actor=WORKER)
    seen: list[tuple[int, int]] = []
    for export in Export.objects.filter(state="ready").order_by("asked_at"):
        raw = (export_dir / export.place).read_bytes()
        seen += [(entry["epoch"], entry["index"]) for entry in read(raw, signer.vkey).entries]
    assert seen == [(1, index) for index in range(tree.frontier.size)]
    schedule.refresh_from_db()
    assert schedule.reached == {"1": tree.frontier.size}


def test_a_copy_that_does_not_come_is_late_once(cast: Cast, run: Any) -> None:
    Tree().open().grow()
    target = bucket_target(cast, 1)
    schedule = add_schedule(target, "day", actor=actor(cast.sam), payloads=True, reason="Copies.")
    follow_schedules(actor=WORKER)
    make_exports(actor=WORKER)
    with clock.held_at(clock.now() + timedelta(hours=7)):
        follow_schedules(actor=WORKER)
        follow_schedules(actor=WORKER)
    schedule.refresh_from_db()
    assert schedule.late_since is not None
    assert Entry.objects.filter(verb="schedule.late").count() == 1


def test_months_and_days_end_at_midnight() -> None:
    moment = datetime(2026, 12, 31, 15, 4, tzinfo=UTC)
    assert next_after("day", moment) == datetime(2027, 1, 1, tzinfo=UTC)
    assert next_after("month", moment) == datetime(2027, 1, 1, tzinfo=UTC)
    assert next_after("month", datetime(2026, 1, 31, tzinfo=UTC)) == datetime(
        2026, 2, 1, tzinfo=UTC
    )


def test_targets_are_for_the_platform_and_their_secrets_for_nobody(cast: Cast) -> None:
    body = {"name": "vault", "kind": "directory"}
    for name, status in (("alice", 403), ("sam", 403), ("ann", 403), ("pat", 201)):
        answer = client_of(getattr(cast, name)).post("/api/v1/export-targets", body)
        assert answer.status_code == status, name
    target = bucket_target(cast, 9, name="other")
    shown = client_of(cast.ann).get("/api/v1/export-targets").content
    assert SECRET.encode() not in shown
    assert b"AKIATEST" in shown
    assert client_of(cast.mallory).get("/api/v1/export-targets").status_code == 403
    asked = {"target": target.public_id, "every": "month", "reason": "Kept elsewhere."}
    made = client_of(cast.sam).post("/api/v1/export-schedules", asked)
    assert made.status_code == 201
    with pytest.raises(ScheduleGoesOn):
        remove_target(target, actor=actor(cast.pat))
    end_schedule(Schedule.objects.get(), actor=actor(cast.sam))
    remove_target(target, actor=actor(cast.pat))
    assert not any(SECRET.encode() in bytes(row.header) for row in Entry.objects.all())


@pytest.mark.parametrize(
    "over",
    [
        {"name": "Ü"}, {"bucket": "../x"}, {"endpoint": "http://127.0.0.1/path"},
        {"prefix": "/etc/"}, {"prefix": "a/../"}, {"secret": ""}, {"access_key": "a b"},
        {"lock_days": -1}, {"kind": "directory"}, {"kind": "ftp"}, {"region": "eu west"},
    ],
)  # fmt: skip
def test_a_target_that_cannot_be_is_refused(cast: Cast, over: Any) -> None:
    with pytest.raises(TargetNotUsable):
        bucket_target(cast, 9, **over)


@pytest.fixture
def moto_python() -> Path:
    try:
        return python_with("s3")
    except NotInstallable as why:
        if os.environ.get("CI") == "true":
            pytest.fail(f"{why}, and under CI=true no test is skipped.")
        pytest.skip(f"NO OTHER S3 SERVER: {why}")


def test_another_implementation_of_s3_takes_it(moto_python: Path) -> None:
    port = free_port()
    server = subprocess.Popen(
        [str(moto_python), "-m", "moto.server", "-p", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        bucket = s3.Bucket(
            f"http://127.0.0.1:{port}", "vault", "us-east-1", "AKIATEST", SecretText(SECRET),
            allow_private=True,
        )  # fmt: skip
        _until_it_listens(port)
        bucket._ask("PUT", "", {})
        upload = bucket.begin("log/a.jsonl")
        parts = [os.urandom(5 * 1024 * 1024), b"the end"]
        tags = [bucket.put_part("log/a.jsonl", upload, n, body) for n, body in enumerate(parts, 1)]
        bucket.complete("log/a.jsonl", upload, tags)
        bucket.abort("log/b.jsonl", bucket.begin("log/b.jsonl"))
    finally:
        server.kill()
        server.wait()


def _until_it_listens(port: int) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise AssertionError("moto does not listen")
