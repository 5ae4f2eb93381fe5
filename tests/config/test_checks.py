from __future__ import annotations

from collections.abc import Callable

import pytest
from django.core.management import call_command
from django.db import OperationalError

from config import checks


@pytest.mark.django_db
def test_a_process_that_owns_the_ledger_is_warned(capsys: pytest.CaptureFixture[str]) -> None:
    call_command("check", "--database", "default")
    assert "config.W001" in capsys.readouterr().err


@pytest.mark.django_db
def test_the_owners_own_commands_are_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["manage.py", "prepare"])
    assert checks.the_ledger_is_not_ours(databases=["default"]) == []


def test_without_a_database_nothing_is_asked() -> None:
    assert checks.the_ledger_is_not_ours() == []


def _no_database() -> bool:
    raise OperationalError


@pytest.mark.parametrize("ask", [lambda: False, _no_database])
def test_who_is_no_owner_or_has_no_database_is_not_warned(
    monkeypatch: pytest.MonkeyPatch, ask: Callable[[], bool]
) -> None:
    monkeypatch.setattr(checks, "can_rewrite", ask)
    assert checks.the_ledger_is_not_ours(databases=["default"]) == []
