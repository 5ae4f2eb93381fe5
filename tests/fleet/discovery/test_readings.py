"""Files that are read by the worker: streamed, bounded, once, and gone afterwards."""

from __future__ import annotations

import io
import json
import os
import tarfile
import tracemalloc
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection

from fleet.discovery.actions import readings
from fleet.discovery.actions.readings import carry_out_readings, take_upload
from fleet.discovery.errors import ReadingOver, UploadNotUsable, UploadTooLarge
from fleet.discovery.models import Evidence, Finding, Reading
from fleet.discovery.readers import squid
from fleet.discovery.readers.tally import Tally
from kernel import clock
from ledger.models import Entry
from registry.actors import Actor
from tests.factories import Cast, actor
from tests.fleet.discovery.corpus import KEYS, LABELLED, MIDDLE
from tests.fleet.discovery.test_logs import SQUID

pytestmark = pytest.mark.django_db
WORKER = Actor.system("discovery")
MEGABYTES = int(os.environ.get("UNSPRAWL_SOAK_LOG_MEGABYTES", "4"))


@pytest.fixture(autouse=True)
def exports(settings: Any, tmp_path: Path) -> Path:
    settings.EXPORT_DIR = tmp_path
    return tmp_path


def upload(cast: Cast, raw: bytes = SQUID, kind: str = "squid", title: str = "a.log") -> Reading:
    return take_upload([raw], kind=kind, title=title, actor=actor(cast.sam))


def test_a_log_is_read_once_and_removed(cast: Cast, exports: Path) -> None:
    reading = upload(cast, title="../../etc/access.log")
    assert reading.title == "access.log"
    assert carry_out_readings(actor=WORKER) == 1

    reading.refresh_from_db()
    assert (reading.state, reading.found, reading.malformed) == ("done", 2, 1)
    assert list((exports / "readings").iterdir()) == []
    upload(cast)
    carry_out_readings(actor=WORKER)
    again = Reading.objects.latest("pk")
    assert (again.found, again.seen_again) == (0, 2)
    assert Evidence.objects.count() == 2
    assert Finding.objects.get(vendor="Anthropic").calls == 2
    assert Entry.objects.filter(verb="reading.done").count() == 2


def test_a_worker_that_was_killed_midway_counts_nothing_twice(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    reading = upload(cast)

    class Killed(BaseException):
        pass

    def dies(*args: Any, **kwargs: Any) -> None:
        raise Killed

    with monkeypatch.context() as broken:
        broken.setattr(readings, "conclude", dies)
        with pytest.raises(Killed):
            carry_out_readings(actor=WORKER)
    assert carry_out_readings(actor=WORKER) == 0  # its lease holds still
    Reading.objects.update(leased_until=clock.now() - timedelta(seconds=1))
    assert carry_out_readings(actor=WORKER) == 1

    reading.refresh_from_db()
    assert (reading.state, reading.attempts) == ("done", 2)
    assert Evidence.objects.count() == Finding.objects.count() == 2


def test_a_file_that_ends_the_worker_again_and_again_is_given_up(cast: Cast) -> None:
    reading = upload(cast)
    Reading.objects.update(attempts=3)
    carry_out_readings(actor=WORKER)

    reading.refresh_from_db()
    assert reading.state == "failed"
    assert "three times" in reading.failure


def test_what_cannot_be_taken_leaves_nothing_behind(
    cast: Cast, exports: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(readings, "MAX_UPLOAD", 10)
    with pytest.raises(UploadTooLarge):
        upload(cast)
    with pytest.raises(UploadNotUsable):
        upload(cast, raw=b"")
    with pytest.raises(UploadNotUsable):
        upload(cast, kind="tea leaves")

    assert list((exports / "readings").iterdir()) == []
    assert not Reading.objects.exists()


def test_a_reading_is_cancelled_before_it_is_over(cast: Cast, exports: Path) -> None:
    reading = upload(cast)
    readings.cancel_reading(reading, actor=actor(cast.sam))
    assert carry_out_readings(actor=WORKER) == 0
    assert list((exports / "readings").iterdir()) == []
    with pytest.raises(ReadingOver):
        readings.cancel_reading(reading, actor=actor(cast.sam))


def test_a_file_that_is_not_what_was_said_fails_in_words(cast: Cast) -> None:
    reading = upload(cast, raw=b"{", kind="openai")
    carry_out_readings(actor=WORKER)

    reading.refresh_from_db()
    assert reading.state == "failed"
    assert "neither one JSON document" in reading.failure


def archive() -> bytes:
    held = io.BytesIO()
    with tarfile.open(fileobj=held, mode="w:gz") as made:
        files = {**LABELLED["n8n"], "app.py": "\n".join(KEYS.values())}
        for name, text in files.items():
            member = tarfile.TarInfo(f"expense-main/{name}")
            member.size = len(text)
            made.addfile(member, io.BytesIO(text.encode()))
    return held.getvalue()


def test_no_key_that_stands_in_a_repository_comes_to_rest_anywhere(
    cast: Cast, exports: Path, caplog: pytest.LogCaptureFixture, capsys: Any, tmp_path: Path
) -> None:
    upload(cast, archive(), "repository", "expense.tar.gz")
    carry_out_readings(actor=WORKER)
    folder = tmp_path / "checkout"
    folder.mkdir()
    (folder / "app.py").write_text("\n".join(KEYS.values()))
    call_command("scan", str(folder))
    call_command("scan", str(folder), "--dry-run")

    assert Finding.objects.filter(kind="hard_coded_key").count() == len(KEYS)
    repository = Finding.objects.get(title="expense")
    assert repository.kind == "repository"
    assert "hard_coded" in repository.flags
    told = caplog.text + "".join(capsys.readouterr()) + everything()
    assert MIDDLE not in told
    assert [key for key in KEYS.values() if key in told or key[-8:] in told] == []


def everything() -> str:
    held = []
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'"
            " AND (table_name LIKE 'discovery_%' OR table_name LIKE 'ledger_entry%')"
        )
        for (name,) in cursor.fetchall():
            cursor.execute(f'SELECT to_jsonb(t)::text FROM "{name}" t')
            held += [row[0] for row in cursor.fetchall()]
    return json.dumps(held)


class Endless:
    """A log of so many bytes, made while it is read."""

    def __init__(self, size: int) -> None:
        self._left = size
        self._lines = self._made()
        self._held = b""

    def _made(self) -> Iterator[bytes]:
        number = 0
        while True:
            number += 1
            yield (
                f"1795289358.345 6 10.0.{number % 7}.{number % 200} TCP_TUNNEL/200 39 CONNECT"
                f" {'api.openai.com' if number % 3 else 'www.example.com'}:443"
                f" user{number % 40} HIER_DIRECT/1.2.3.4 -\n"
            ).encode()

    def read(self, size: int, /) -> bytes:
        while len(self._held) < size and self._left > 0:
            line = next(self._lines)
            self._held += line
            self._left -= len(line)
        taken, self._held = self._held[:size], self._held[size:]
        return taken


def test_a_long_log_is_read_in_little_memory() -> None:
    tracemalloc.start()
    found = list(squid.read(Endless(MEGABYTES * 2**20), Tally()))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert len(found) == 40
    assert peak < 16 * 2**20
