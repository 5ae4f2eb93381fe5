from __future__ import annotations

import pytest

from ledger.durability import NotDurable, judged

KEEPS = ("on", "on", "on", "", "on", "")


@pytest.mark.parametrize("level", ["on", "remote_apply", "local", "remote_write"])
def test_a_server_that_flushes_is_used(level: str) -> None:
    judged(("on", "on", level, "", "on", "")).require()


@pytest.mark.parametrize(
    ("said", "word"),
    [
        (("off", "on", "on", "", "on", ""), "fsync is off"),
        (("on", "off", "on", "", "on", ""), "full_page_writes is off"),
        (("on", "on", "off", "", "on", ""), "synchronous_commit is off"),
        (("on", "on", "local", "replica", "on", ""), "synchronous_commit is local"),
        (("on", "on", "remote_write", "replica", "on", ""), "synchronous_commit is remote_write"),
        (None, "fsync is off"),
    ],
)
def test_a_server_that_may_forget_is_refused_and_how_to_mend_it_is_said(
    said: tuple[str, ...] | None, word: str
) -> None:
    found = judged(said)
    assert found.faults[0].startswith(word)
    assert "ALTER SYSTEM SET" in found.faults[0]
    with pytest.raises(NotDurable, match=word):
        found.require()


def test_missing_checksums_are_worth_a_word_only() -> None:
    found = judged(("on", "on", "on", "", "off", ""))
    found.require()
    assert "pg_checksums --enable" in found.warnings[0]
    assert judged(KEEPS).warnings == ()


def test_a_server_of_tests_says_that_nothing_in_it_is_kept() -> None:
    assert judged(("off", "off", "off", "", "off", "on")).faults == ()
