from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from policy.bundle import BASE, MAX_FILE_BYTES, Bundle
from policy.errors import BundleUnusable


def test_one_changed_byte_changes_the_digest(make_bundle: Callable[..., Path]) -> None:
    before = Bundle.load(make_bundle("answer := 1"))
    after = Bundle.load(make_bundle("answer := 2"))
    assert before.digest != after.digest
    assert before.digest.startswith("sha256:")


def test_tests_and_other_files_are_no_part_of_the_digest(tmp_path: Path) -> None:
    copied = tmp_path / "copied"
    shutil.copytree(BASE, copied)
    for test in copied.glob("*_test.rego"):
        test.unlink()
    (copied / "notes.txt").write_text("not a rule")
    assert Bundle.load(copied).digest == Bundle.load(BASE).digest


def test_moving_bytes_from_one_file_to_another_changes_the_digest(
    make_bundle: Callable[..., Path],
) -> None:
    one = make_bundle("a := 1\nb := 2", name="one")
    two = make_bundle("a := 1", name="two")
    (two / "more.rego").write_text("b := 2\n")
    assert Bundle.load(one).digest != Bundle.load(two).digest


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("data.json", b'{"a": 1, "a": 2}'),
        ("data.json", b"[]"),
        ("data.json", b"{"),
        ("calls.rego", b"\xff"),
        ("calls.rego", b"#" * (MAX_FILE_BYTES + 1)),
    ],
)
def test_a_bundle_that_cannot_be_read_is_refused(
    make_bundle: Callable[..., Path], file: str, content: bytes
) -> None:
    directory = make_bundle()
    (directory / file).write_bytes(content)
    with pytest.raises(BundleUnusable):
        Bundle.load(directory)


@pytest.mark.parametrize("missing", ["data.json", "calls.rego"])
def test_a_bundle_without_rules_or_data_is_refused(
    make_bundle: Callable[..., Path], missing: str
) -> None:
    directory = make_bundle()
    (directory / missing).unlink()
    with pytest.raises(BundleUnusable):
        Bundle.load(directory)


def test_a_module_that_is_a_directory_is_refused(make_bundle: Callable[..., Path]) -> None:
    directory = make_bundle()
    (directory / "more.rego").mkdir()
    with pytest.raises(BundleUnusable, match=r"more\.rego"):
        Bundle.load(directory)
