"""Two sessions at once: a hold is placed while keys are destroyed, and the other way round."""

from __future__ import annotations

import threading

import pytest
from django.db import OperationalError, connection, transaction

from ledger.models import DataKey, LegalHold
from ledger.retention import legal_holds
from ledger.retention.legal_holds import Covers
from ledger.retention.shredding import Shredded, is_busy, shred
from tests.ledger.retention.scenes import AGENT, SECURITY, say

pytestmark = pytest.mark.django_db(transaction=True)


def destroy() -> Shredded:
    keys = sorted(DataKey.objects.values_list("dek_id", flat=True))
    with transaction.atomic():
        return shred(keys, why="request", subject=AGENT, actor=SECURITY)


def hold() -> None:
    try:
        legal_holds.place(Covers("everything"), actor=SECURITY, reason="case 7")
    finally:
        connection.close()


def test_a_hold_waits_for_the_destruction_that_is_under_way() -> None:
    with transaction.atomic():
        say()
    placing = threading.Thread(target=hold)
    with transaction.atomic():
        assert destroy().keys == 1
        placing.start()
        placing.join(0.5)
        assert placing.is_alive()
    placing.join(60)
    assert DataKey.objects.get().state == "shredded"
    assert LegalHold.objects.count() == 1


def test_nothing_is_destroyed_beside_a_hold_that_is_being_placed() -> None:
    with transaction.atomic():
        say()
    found: list[object] = []

    def destroying() -> None:
        try:
            found.append(destroy())
        except OperationalError as error:
            found.append(is_busy(error))
        finally:
            connection.close()

    with transaction.atomic():
        legal_holds.place(Covers("everything"), actor=SECURITY, reason="case 7")
        other = threading.Thread(target=destroying)
        other.start()
        other.join(60)
        assert found == [True]  # it gave up, to be tried again
    assert destroy() == Shredded(0)
    assert DataKey.objects.get().state == "active"
