"""Archives that break while they are read, and files written to keep a scanner busy."""

from __future__ import annotations

import io
import tarfile
import time
import zipfile
from collections import Counter
from collections.abc import Callable

import pytest

from fleet.discovery.readers.tally import NotReadable, Tally
from fleet.discovery.scanning.archives import members
from fleet.discovery.scanning.scan_repository import Catalogue, File, Scan, scan

LARGE = 2_000_000
BUSY = {
    "team.yaml": "agents:\n" + "  worker:\n    image: acme/worker\n" * 50_000,
    "deploy.yaml": "agents:\n" + "  # nothing\n" * 150_000,
    "requirements.txt": "\n" * LARGE + "!",
    "setup.py": "'a" + " " * LARGE,
    "pyproject.toml": " " * LARGE,
    "Pipfile": '"' * LARGE,
    "catalog-info.yaml": "\n" * LARGE,
    "config/agents.yaml": "\n" * LARGE,
    "agent.yaml": "unsprawl.dev/" + "\n" * LARGE,
}


def scanned(archive: bytes) -> Scan:
    return scan(members(io.BytesIO(archive), Tally(), Counter()), "acme/app", Catalogue({}))


def zipped() -> bytearray:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as archive:
        archive.writestr("first.txt", "hello world" * 10)
        archive.writestr("langgraph.json", '{"graphs": {"support": "./graph.py:app"}}')
    return bytearray(held.getvalue())


def with_a_bad_sum(raw: bytearray) -> None:
    raw[raw.find(b"hello")] ^= 1


def with_a_password(raw: bytearray) -> None:
    raw[6] |= 1
    raw[raw.find(b"PK\x01\x02") + 8] |= 1


def packed_in_another_way(raw: bytearray) -> None:
    raw[8] = raw[raw.find(b"PK\x01\x02") + 10] = 9  # Deflate64


@pytest.mark.parametrize("spoil", [with_a_bad_sum, with_a_password, packed_in_another_way])
def test_one_member_that_cannot_be_read_is_counted_and_the_others_are_read(
    spoil: Callable[[bytearray], None],
) -> None:
    raw = zipped()
    spoil(raw)
    found = scanned(bytes(raw))
    assert found.skipped["unreadable"] == 1
    assert [sign["kind"] for sign in found.report()["signs"]] == ["langgraph"]


def test_a_tar_that_ends_within_a_file_is_damaged() -> None:
    held = io.BytesIO()
    with tarfile.open(fileobj=held, mode="w") as archive:
        member = tarfile.TarInfo("app.py")
        member.size = 100_000
        archive.addfile(member, io.BytesIO(b"x" * member.size))
    with pytest.raises(NotReadable, match="damaged"):
        scanned(held.getvalue()[:50_000])


@pytest.mark.parametrize("path", BUSY)
def test_no_file_keeps_the_scanner_busy(path: str) -> None:
    text = BUSY[path].encode()
    began = time.process_time()
    found = scan([File(path, lambda most: text[:most])], "acme/app", Catalogue({}))
    assert found.files == 1
    # Each takes well under a second of CPU; a pattern that goes back takes hours.
    assert time.process_time() - began < 60


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        ("agents:\n  root:\n    model: openai/gpt-5\n", True),
        ("agents: # ours\n\n# a word\n  helper:\n    model: x\n  root:\n    model: y\n", True),
        ("agents:\n  helper:\n    model: x\nother:\n  root:\n", False),
        ("jobs:\n  root:\n    model: x\n", False),
    ],
)
def test_a_team_has_its_root_among_its_agents(text: str, is_one: bool) -> None:
    found = scan([File("t.yaml", lambda most: text.encode()[:most])], "acme", Catalogue({}))
    assert [sign["kind"] for sign in found.report()["signs"]] == ["cagent"] * is_one
