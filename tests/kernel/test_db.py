from __future__ import annotations

from typing import Any

import pytest
from celery import current_app
from django.db import IntegrityError, connection, transaction

from kernel.db import constraint_of, refused_as, ring
from kernel.errors import Conflict


class Taken(Conflict):
    pass


def insert_twice() -> None:
    with connection.cursor() as cursor:
        for _ in range(2):
            cursor.execute(
                "INSERT INTO ledger_retiredringkey (ring, ring_key_id, retired_at)"
                " VALUES ('x', 'k1', now())"
            )


@pytest.mark.django_db
def test_a_constraint_becomes_the_fact_it_stands_for() -> None:
    with pytest.raises(Taken), refused_as({"ledger_retiredringkey_once": Taken()}):
        insert_twice()
    with connection.cursor() as cursor:  # the transaction is still usable
        cursor.execute("SELECT count(*) FROM ledger_retiredringkey")
        assert cursor.fetchone() == (0,)


@pytest.mark.django_db
def test_another_constraint_stays_an_error() -> None:
    with pytest.raises(IntegrityError) as raised, refused_as({"another": Taken()}):
        insert_twice()
    assert constraint_of(raised.value) == "ledger_retiredringkey_once"
    assert constraint_of(IntegrityError()) == ""


@pytest.mark.django_db(transaction=True)
def test_the_bell_rings_after_the_commit_and_not_without_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    heard: list[str] = []

    def send(name: str, **options: Any) -> None:
        assert options == {"args": options["args"], "ignore_result": True, "retry": False}
        heard.append(" ".join([name, *(options["args"] or ())]))

    monkeypatch.setattr(current_app, "send_task", send)
    with transaction.atomic():
        ring("sweep.one")
        ring("turn.of", "prp_1")
        assert heard == []
    assert heard == ["sweep.one", "turn.of prp_1"]
    with transaction.atomic():
        ring("sweep.two")
        transaction.set_rollback(True)
    assert heard == ["sweep.one", "turn.of prp_1"]


@pytest.mark.django_db(transaction=True)
def test_a_broker_that_is_away_costs_latency_and_no_change(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(name: str, **options: Any) -> None:
        raise OSError("no broker")

    monkeypatch.setattr(current_app, "send_task", refuse)
    with caplog.at_level("WARNING", "unsprawl.doorbell"), transaction.atomic():
        ring("sweep.one")
    assert "doorbell not heard: sweep.one (OSError)" in caplog.text
