"""A full disk: calls are closed, nothing acknowledged is lost, and space brings them back."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest

from bench.gateway.rig import Rig, World
from tests.routing.gateway.conftest import Client, ServedGateway, eventually
from tests.routing.gateway.test_outages import assert_chains_hold, assert_recorded

pytestmark = pytest.mark.slow

DISK_MEGABYTES = 320


@pytest.fixture(scope="module")
def disk() -> Iterator[Path]:
    """Yield a small disk of its own."""
    place = Path(tempfile.mkdtemp(prefix="unsprawl-disk-"))
    place.chmod(0o755)
    size = f"size={DISK_MEGABYTES}m"
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", size, "tmpfs", str(place)], capture_output=True, check=False
    )
    if made.returncode:
        place.rmdir()
        sys.stderr.write("\n!! NO SMALL DISK CAN BE MADE HERE: THE TEST OF A FULL ONE IS SKIPPED\n")
        pytest.skip("only root can make a small disk")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)
    place.rmdir()


@pytest.fixture(scope="module")
def small_rig(disk: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    home = tmp_path_factory.mktemp("small")
    (home / "postgres").symlink_to(disk)
    with Rig(home, fsync=False) as rig:
        yield rig


def test_a_full_disk_closes_calls_and_space_opens_them(small_rig, disk, vendor):
    with closing(World(small_rig)) as world:
        vendor_pk, route = world.add_vendor(vendor.base_url)
        world.add_route(route, world.add_model(vendor_pk))
        key = world.add_agent(routes=[route]).key
    gateway = ServedGateway(small_rig)
    gateway.start()
    client = Client(gateway.port, key)
    body = {"model": route, "messages": [{"role": "user", "content": ""}]}
    acknowledged: list[str] = []

    def ask(noise: int = 0) -> int:
        said = os.urandom(noise).hex()  # nothing that compression could make small
        got = client.chat(body | {"messages": [{"role": "user", "content": said}]})
        if got.status == 200:
            acknowledged.append(got.headers["x-unsprawl-entry"])
        elif got.status == 503:
            assert got.headers["retry-after"]
        return got.status

    try:
        eventually(lambda: ask() == 200)
        assert [ask() for _ in range(20)] == [200] * 20
        ballast = disk / "ballast"
        _fill(ballast)
        eventually(lambda: ask(20_000) == 503, 30.0)
        asked = len(vendor.seen)
        assert [ask(20_000) for _ in range(3)] == [503] * 3
        assert len(vendor.seen) == asked
        assert client.ask("GET", "/healthz").status == 200
        ballast.unlink()
        if small_rig.postgres.process is None or small_rig.postgres.process.poll() is not None:
            small_rig.spawn()  # as the runbook says: it may need a restart
        eventually(lambda: ask() == 200, 15.0)
    finally:
        gateway.stop()
    assert len(acknowledged) > 20
    assert_recorded(small_rig, acknowledged)
    assert_chains_hold(small_rig)


def _fill(ballast: Path) -> None:
    with ballast.open("wb") as file, suppress(OSError):
        while True:
            file.write(b"\0" * 65_536)
            file.flush()
