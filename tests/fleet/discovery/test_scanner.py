"""The scanner on its own: every kind found, nothing in a clean repository, no key in a report."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import tarfile
import zipfile
from collections import Counter
from pathlib import Path

import pytest

from fleet.discovery.readers.tally import NotReadable, Tally, TooLargeUnpacked
from fleet.discovery.scanning import scan_repository
from fleet.discovery.scanning.archives import members
from fleet.discovery.scanning.scan_repository import Catalogue, File, scan, scan_folder
from tests.fleet.discovery.corpus import CLEAN, KEYS, LABELLED, MIDDLE

CATALOGUE = Catalogue(
    {name: name for name in ("gpt-5", "gpt-5-pro", "gpt-4o", "gpt-4o-2024-08-06", "o1",
                             "claude-sonnet-4-5", "anthropic.claude-sonnet-4-5-v1:0")}
    | {"claude-sonnet-4-5-latest": "claude-sonnet-4-5"}
)  # fmt: skip
KEY = b"k" * 32


def report_of(files: dict[str, str]) -> dict[str, list[dict[str, object]]]:
    given = [File(path, io.BytesIO(text.encode()).read) for path, text in files.items()]
    report = scan(given, "acme/repo", CATALOGUE, KEY).report()
    assert json.dumps(report)
    return report


@pytest.mark.parametrize("kind", sorted(LABELLED))
def test_every_kind_of_agent_is_recognised_by_its_files(kind: str) -> None:
    found = {sign["kind"] for sign in report_of(LABELLED[kind])["signs"]}

    assert found == {kind}


def test_a_clean_repository_holds_nothing() -> None:
    report = report_of(CLEAN)

    assert (report["signs"], report["models"], report["keys"]) == ([], [], [])


@pytest.mark.parametrize("kind", sorted(KEYS))
def test_of_a_key_in_code_the_report_has_its_kind_and_two_characters(kind: str) -> None:
    value = KEYS[kind]
    report = report_of(
        {
            f"src/{value}.py": f'client = Client("{value}")  # {value}\n',
            "x.yaml": f"name: {value}\n",
        }
    )

    (first, *_) = report["keys"]
    assert (first["kind"], first["line"], first["tail"]) == (kind, 1, value[-2:])
    assert len(str(first["fingerprint"])) == 64
    assert len({key["fingerprint"] for key in report["keys"]}) == 1
    assert MIDDLE[:8] not in json.dumps(report)


def test_models_are_matched_whole_and_weaker_in_comments_tests_and_texts() -> None:
    report = report_of(
        {
            "app.py": (
                'a = "gpt-4o-2024-08-06"\n'
                'b = "openai/gpt-5-pro"  # once gpt-5\n'
                "c = gpt-4o-mini-tokenizer\n"
                'd = "o1"\n'
                "o1 = nova\n"
                'e = "us.anthropic.claude-sonnet-4-5-v1:0"\n'
                "# claude-sonnet-4-5-latest\n"
            ),
            "tests/test_app.py": 'MODEL = "gpt-4o"\n',
        }
    )
    named = [(row["id"], row["line"], row["weak"]) for row in report["models"]]

    assert named == [
        ("gpt-4o-2024-08-06", 1, False),
        ("gpt-5-pro", 2, False),
        ("gpt-5", 2, True),
        ("o1", 4, False),
        ("anthropic.claude-sonnet-4-5-v1:0", 6, False),
        ("claude-sonnet-4-5", 7, True),
        ("gpt-4o", 1, True),
    ]


def test_it_runs_alone_and_tells_authors_and_code_owners(tmp_path: Path) -> None:
    root = tmp_path / "repo"
    (root / ".github").mkdir(parents=True)
    (root / "langgraph.json").write_text(LABELLED["langgraph"]["langgraph.json"])
    (root / ".github" / "CODEOWNERS").write_text("* @acme/finance jana@acme.test\n")
    (root / "link").symlink_to("/etc/passwd")
    git = ["git", "-C", str(root), "-c", "user.email=jana@acme.test", "-c", "user.name=Jana"]
    for words in (["init", "-q"], ["add", "."], ["commit", "-qm", "First"]):
        subprocess.run([*git, *words], check=True)
    alone = tmp_path / "scan_repository.py"
    alone.write_bytes(Path(scan_repository.__file__).read_bytes())

    done = subprocess.run(
        [sys.executable, "-I", str(alone), str(root), "--name", "https://u:pw@git.acme.test/a.git"],
        capture_output=True, text=True, check=True, env={"PATH": os.environ["PATH"]},
    )  # fmt: skip
    report = json.loads(done.stdout)

    assert report["repository"] == "https://git.acme.test/a.git"
    assert report["people"] == [{"email": "jana@acme.test", "commits": 1}]
    assert report["owners"] == ["@acme/finance", "jana@acme.test"]
    assert report["skipped"]["links and others"] == 1
    assert [sign["name"] for sign in report["signs"]] == ["triage"]


def test_a_folder_is_scanned_without_what_others_wrote(tmp_path: Path) -> None:
    for folder in ("node_modules/x", ".git", "src"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "langgraph.json").write_text('{"graphs": {"a": "b"}}')

    report = scan_folder(tmp_path, CATALOGUE)

    assert [sign["path"] for sign in report["signs"]] == ["src/langgraph.json"]


def tar_of(files: dict[str, bytes], mode: str = "w:gz") -> io.BytesIO:
    held = io.BytesIO()
    with tarfile.open(fileobj=held, mode=mode) as archive:  # type: ignore[call-overload]
        for name, raw in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(raw)
            archive.addfile(member, io.BytesIO(raw))
        link = tarfile.TarInfo("repo/passwd")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
    held.seek(0)
    return held


def zip_of(files: dict[str, bytes]) -> io.BytesIO:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, raw in files.items():
            archive.writestr(name, raw)
    held.seek(0)
    return held


def contents(archive: io.BytesIO) -> dict[str, int]:
    skipped: Counter[str] = Counter()
    return {each.path: len(each.read(100)) for each in members(archive, Tally(), skipped)}


def test_members_are_labels_and_nothing_is_unpacked() -> None:
    files = {"../../etc/cron.d/x": b"1", "/abs/y": b"22", "repo/node_modules/z": b"3"}

    assert contents(tar_of(files)) == {"etc/cron.d/x": 1, "abs/y": 2}
    assert contents(zip_of(files)) == {"etc/cron.d/x": 1, "abs/y": 2}


@pytest.mark.parametrize("raw", [b"", b"PK", b"PK\x05\x06", b"\x1f\x8b\x08", b"x" * 600])
def test_what_is_no_archive_is_refused_in_words(raw: bytes) -> None:
    with pytest.raises(NotReadable):
        contents(io.BytesIO(raw))


def test_bombs_are_refused_while_they_unpack() -> None:
    with pytest.raises(TooLargeUnpacked):
        contents(tar_of({"repo/bomb": b"\0" * (150 * 1024 * 1024)}))


def test_a_header_that_states_a_size_is_not_believed() -> None:
    held = io.BytesIO()
    with tarfile.open(fileobj=held, mode="w") as archive:
        member = tarfile.TarInfo("pax")
        member.type, member.size = tarfile.XHDTYPE, 1024**4
        archive.addfile(member)
    held.seek(0)

    with pytest.raises(NotReadable):
        contents(held)
