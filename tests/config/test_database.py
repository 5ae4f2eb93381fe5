from __future__ import annotations

import pytest

from config.database import database_from


def test_a_socket_address_means_to_django_what_it_means_to_libpq() -> None:
    settings = database_from(
        "postgresql://web:p%40ss@/unsprawl?host=%2Frun%2Fs&port=5432&sslmode=disable"
    )

    assert settings["HOST"] == "/run/s"
    assert settings["PASSWORD"] == "p@ss"
    assert settings["OPTIONS"] == {
        "sslmode": "disable",
        "options": "-c synchronous_commit=on",
    }


def test_a_pool_and_a_time_out_are_added_to_what_the_address_says() -> None:
    settings = database_from(
        "postgresql://web@db/unsprawl?options=-c%20jit%3Doff", pool=8, statement_timeout_ms=500
    )

    assert settings["OPTIONS"]["pool"]["max_size"] == 8
    assert settings["OPTIONS"]["options"] == (
        "-c jit=off -c synchronous_commit=on -c statement_timeout=500"
    )


def test_a_bad_address_is_refused_without_repeating_it() -> None:
    with pytest.raises(ValueError, match="is not a PostgreSQL address") as caught:
        database_from("mysql-ish://root:hunter2@db")

    assert "hunter2" not in str(caught.value)
