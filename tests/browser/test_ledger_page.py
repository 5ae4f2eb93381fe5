"""The page of the log in a real browser: watched, and suspended."""

from __future__ import annotations

from functools import partial

import pytest
from django.db import connection, transaction

from kernel.refs import Ref
from ledger.models import Checkpoint
from ledger.record import record
from ledger.transparency.notes import COSIGNATURE_V1, VerifierKey
from ledger.verbs import Verb
from tests.browser.looks import EVERY_LOOK, faults_of
from tests.browser.test_steering_pages import kept, opened
from tests.factories import make_cast
from tests.ledger.sequenced import sequence_now

pytestmark = [
    pytest.mark.browser,
    pytest.mark.django_db(transaction=True),
]
WITNESS = VerifierKey("witness.example.com/ledger", COSIGNATURE_V1, bytes(range(32)))


@pytest.fixture
def cast(transactional_db, settings):
    settings.WITNESS_KEYS = [str(WITNESS), str(VerifierKey("second", COSIGNATURE_V1, bytes(32)))]
    made = make_cast()
    for number in range(30):
        with transaction.atomic():
            record(Verb.AGENT_CHANGED, Ref("agent", f"agt_{number}"), actor=made.pat.ref)
    sequence_now()
    size = Checkpoint.objects.order_by("-size").values_list("size", flat=True)[0]
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO ledger_checkpointsignature (epoch, size, signer, is_witness, line,"
            " signed_at) VALUES (1, %s, %s, true, 'x', now())",
            [size, WITNESS.name],
        )
    return made


def test_the_page_is_sound_in_every_look(browser, live_server, cast):
    page = opened(browser, live_server, cast.pat)
    then = partial(kept, page)
    assert faults_of(page, {"ledger": "/ledger/"}, then, EVERY_LOOK) == []
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO ledger_suspension (epoch_id, found, suspended_at) VALUES (1, %s, now())",
            [
                "Witness witness.example.com/ledger has seen 1204 entries of"
                " ledger.example.com/ledger/log_01ky2nkr9fz6/1 at 2026-11-22 04:10:11 UTC;"
                " the tree here has 1130."
            ],
        )
    assert faults_of(page, {"ledger-suspended": "/ledger/"}, then, EVERY_LOOK) == []
    page.context.close()
