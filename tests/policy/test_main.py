from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from policy.__main__ import main
from policy.bundle import BASE, Bundle


def test_check_says_the_digest_of_a_good_bundle(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check"]) == 0
    assert Bundle.load(BASE).digest in capsys.readouterr().out


@pytest.mark.parametrize("rule", ["answer := http.send({})", "answer := {"])
def test_check_refuses_a_bad_bundle_with_the_reason(
    make_bundle: Callable[..., Path], capsys: pytest.CaptureFixture[str], rule: str
) -> None:
    assert main(["check", str(make_bundle(rule))]) == 1
    assert capsys.readouterr().out.strip()


def test_every_unit_test_of_the_shipped_bundle_holds(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["test", str(BASE)]) == 0, capsys.readouterr().out


def test_a_unit_test_that_fails_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copied = tmp_path / "base"
    shutil.copytree(BASE, copied)
    (copied / "more_test.rego").write_text(
        "package more_test\n\ntest_good if true\n\ntest_bad if false\n\n"
        "test_broken if count(1) == 1\n"
    )
    assert main(["test", str(copied)]) == 1
    said = capsys.readouterr().out
    assert "failed: data.more_test.test_bad" in said
    assert "failed: data.more_test.test_broken" in said
    assert "test_good" not in said


def test_a_unit_test_that_cannot_be_read_fails(
    make_bundle: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    directory = make_bundle()
    (directory / "bad_test.rego").write_text("package bad_test\n\ntest_it if {\n")
    assert main(["test", str(directory)]) == 1
    assert "bad_test.rego" in capsys.readouterr().out


def test_a_bundle_without_unit_tests_does_not_pass(make_bundle: Callable[..., Path]) -> None:
    assert main(["test", str(make_bundle())]) == 1


def test_without_the_second_engine_nothing_is_claimed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "regorus", None)
    assert main(["test"]) == 2
    assert "not tested" in capsys.readouterr().out
