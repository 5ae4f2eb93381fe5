"""A large file comes in parts: a break loses nothing, and no line is there twice."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from fleet.discovery.actions.parts import end_forgotten, take_part
from fleet.discovery.actions.readings import carry_out_readings, place_of
from fleet.discovery.models import Evidence, Finding, Reading
from kernel import clock
from registry.actors import Actor
from tests.factories import Cast, actor, browser_of, client_of
from tests.fleet.discovery.test_logs import SQUID

pytestmark = pytest.mark.django_db
API = "/api/v1/discovery/readings"
SWEEP = Actor.system("discovery")


@pytest.fixture(autouse=True)
def exports(db: None, settings: Any, tmp_path: Path) -> None:
    settings.EXPORT_DIR = tmp_path


def opened(cast: Cast, size: int = len(SQUID), **over: Any) -> str:
    query = "&".join(f"{k}={v}" for k, v in ({"kind": "squid", "size": size} | over).items())
    answer = client_of(cast.sam).post(
        f"{API}?{query}&name=a.log", b"", content_type="application/octet-stream"
    )
    assert answer.status_code == 202, answer.content
    return str(answer.json()["id"])


def send(cast: Cast, reading: str, offset: int, body: bytes) -> Any:
    return client_of(cast.sam).put(
        f"{API}/{reading}/parts?offset={offset}", body, content_type="application/octet-stream"
    )


def test_what_comes_in_parts_is_read_as_if_it_came_whole(cast: Cast) -> None:
    reading, half = opened(cast), len(SQUID) // 2
    carry_out_readings(actor=SWEEP)
    assert send(cast, reading, 0, SQUID[:half]).json()["received"] == half
    page = browser_of(cast.sam).get(f"/unregistered/readings/{reading}/").content.decode()
    assert "The rest may follow" in page
    assert carry_out_readings(actor=SWEEP) == 0  # a part is not read
    done = send(cast, reading, half, SQUID[half:]).json()
    assert (done["received"], done["state"]) == (len(SQUID), "waiting")
    assert carry_out_readings(actor=SWEEP) == 1
    in_parts = Reading.objects.get()

    client_of(cast.sam).post(
        f"{API}?kind=squid&name=a.log", SQUID, content_type="application/octet-stream"
    )
    carry_out_readings(actor=SWEEP)
    whole = Reading.objects.latest("pk")
    for name in ("sha256", "lines", "understood", "malformed", "state"):
        assert getattr(in_parts, name) == getattr(whole, name), name
    assert (whole.found, Evidence.objects.count()) == (0, Finding.objects.count())


def test_a_part_that_begins_elsewhere_is_told_where_the_file_ends(cast: Cast) -> None:
    reading = opened(cast)
    assert send(cast, reading, 0, SQUID[:100]).status_code == 200
    for offset in (0, 50, 101, 10**12):
        again = send(cast, reading, offset, SQUID[:100])
        assert (again.status_code, again.json()["code"], again.json()["offset"]) == (
            409, "fleet.part_elsewhere", 100,
        )  # fmt: skip
    assert place_of(reading).read_bytes() == SQUID[:100]


def test_a_sender_that_is_cut_off_goes_on_where_the_file_ends(cast: Cast) -> None:
    def breaking() -> Iterator[bytes]:
        yield SQUID[:70]
        raise ConnectionResetError

    row = Reading.objects.get(public_id=opened(cast))
    with pytest.raises(ConnectionResetError):
        take_part(row, breaking(), offset=0, actor=actor(cast.sam))
    told = client_of(cast.sam).get(f"{API}/{row.public_id}").json()
    assert told["received"] == 70
    assert send(cast, row.public_id, 70, SQUID[70:]).json()["received"] == len(SQUID)
    assert place_of(row.public_id).read_bytes() == SQUID


def test_two_senders_do_not_write_at_once(cast: Cast) -> None:
    reading = opened(cast)
    held = os.open(place_of(reading), os.O_RDWR)
    fcntl.flock(held, fcntl.LOCK_EX)
    assert send(cast, reading, 0, SQUID).json()["code"] == "fleet.part_elsewhere"
    os.close(held)
    assert send(cast, reading, 0, SQUID).status_code == 200
    assert send(cast, reading, 0, SQUID).json()["code"] == "fleet.reading_over"


def test_more_than_was_said_is_refused_and_what_fits_can_follow(cast: Cast) -> None:
    reading = opened(cast, size=100)
    assert send(cast, reading, 0, SQUID[:200]).status_code == 413
    at = Reading.objects.get().received
    assert at is not None
    assert send(cast, reading, at, SQUID[at:100]).json()["state"] == "waiting"


def test_what_does_not_follow_is_over_after_two_days(cast: Cast) -> None:
    reading = opened(cast)
    send(cast, reading, 0, SQUID[:10])
    assert end_forgotten(actor=SWEEP) == 0
    with clock.held_at(clock.now() + timedelta(days=3)):
        assert end_forgotten(actor=SWEEP) == 1
    assert Reading.objects.get().failure == "The rest of the file did not come."
    assert not place_of(reading).exists()
    assert send(cast, reading, 10, SQUID[10:]).json()["code"] == "fleet.reading_over"


@pytest.mark.parametrize("over", [{"size": 0}, {"size": -1}, {"kind": "nonsense"}, {"size": 2**40}])
def test_what_cannot_come_is_refused_before_anything_is_sent(
    cast: Cast, over: dict[str, Any], tmp_path: Path
) -> None:
    query = "&".join(f"{k}={v}" for k, v in ({"kind": "squid", "size": 5} | over).items())
    answer = client_of(cast.sam).post(
        f"{API}?{query}", b"", content_type="application/octet-stream"
    )
    assert answer.status_code in {400, 413, 422}
    assert not list(tmp_path.glob("readings/*"))


@pytest.mark.parametrize("who", ["alice", "mallory", "ann"])
def test_others_send_no_parts(cast: Cast, who: str) -> None:
    reading = opened(cast)
    client = client_of(getattr(cast, who))
    octets = "application/octet-stream"
    answer = client.put(f"{API}/{reading}/parts?offset=0", b"x", content_type=octets)
    assert answer.status_code == 403
    assert client.post(f"{API}?kind=squid&size=5", b"", content_type=octets).status_code == 403
