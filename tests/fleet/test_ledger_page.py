"""The page of the log: who may look, what it says when all is well, and when it is not."""

from __future__ import annotations

import pytest
from django.db import connection, transaction

from kernel.refs import Ref
from ledger.models import Checkpoint, Epoch, SequencerReport
from ledger.record import record
from ledger.transparency.notes import COSIGNATURE_V1, VerifierKey
from ledger.verbs import Verb
from tests.factories import Cast, browser_of, make_cast
from tests.ledger.sequenced import sequence_now

pytestmark = pytest.mark.django_db
WITNESS = VerifierKey("w.example/one", COSIGNATURE_V1, bytes(range(32)))


@pytest.fixture
def cast() -> Cast:
    return make_cast()


def page_of(person, url="/ledger/"):
    answer = browser_of(person).get(url)
    assert answer.status_code == 200
    return answer.content.decode()


def on_record() -> None:
    with transaction.atomic():
        record(Verb.AGENT_CHANGED, Ref("agent", "agt_one"), actor=Ref("person", "per_alice"))


def cosign(size: int, name: str = WITNESS.name) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO ledger_checkpointsignature (epoch, size, signer, is_witness, line,"
            " signed_at) VALUES (1, %s, %s, true, 'x', now())",
            [size, name],
        )


def suspend() -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO ledger_suspension (epoch_id, found, suspended_at)"
            " VALUES (1, 'Witness w has seen 12 entries; the tree here has 5.', now())"
        )


def test_the_log_is_for_those_who_govern(cast):
    for person in (cast.sue, cast.pat, cast.ann):
        assert 'href="/ledger/"' in page_of(person)
    for person in (cast.alice, cast.mallory):
        browser = browser_of(person)
        assert browser.get("/ledger/").status_code == 403
        assert 'href="/ledger/"' not in browser.get("/").content.decode()


def test_before_the_first_epoch_the_page_says_what_is_missing(cast):
    assert "No tree has begun" in page_of(cast.ann)


def test_it_says_how_far_the_log_is_signed_and_witnessed(cast, settings):
    settings.WITNESS_KEYS = [str(WITNESS)]
    on_record()
    sequence_now()
    size = Checkpoint.objects.order_by("-size").values_list("size", flat=True)[0]
    cosign(size)

    page = page_of(cast.ann)

    assert "none waits" in page
    assert f"cosigned {size} entries" in page
    assert str(WITNESS).replace("+", "&#x2B;") in page or str(WITNESS) in page
    assert Epoch.objects.get().origin in page
    assert "unsprawl_verify" in page
    assert "Suspended" not in page


def test_a_log_that_nobody_watches_says_so(cast, settings):
    settings.WITNESS_KEYS = []
    on_record()
    sequence_now()
    assert "Nobody watches" in page_of(cast.sue)


def test_a_configured_witness_that_said_nothing_shows(cast, settings):
    settings.WITNESS_KEYS = [str(WITNESS)]
    on_record()
    sequence_now()
    assert "has cosigned nothing of this epoch" in page_of(cast.sue)


def test_what_the_sequencer_reports_and_what_waits_shows(cast):
    on_record()
    sequence_now()
    on_record()
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO ledger_sequencerreport (about, state, found, reported_at) VALUES"
            " ('sequencer', 'halted', 'the tiles do not lead to the root', now())"
        )
    page = page_of(cast.pat)
    assert SequencerReport.objects.count() == 1
    assert "The sequencer stands still" in page
    assert "the tiles do not lead to the root" in page
    assert "wait for one" in page


def test_a_suspension_stands_on_every_page_and_says_what_to_do_to_those_who_can(cast):
    on_record()
    sequence_now()
    suspend()
    for url in ("/", "/agents/", "/ledger/"):
        assert "The ledger is suspended" in page_of(cast.sue, url)
        assert "The ledger is suspended" in page_of(cast.pat, url)
    told = page_of(cast.alice, "/")  # who can do nothing about it is told, and not how
    assert "The ledger is suspended" in told
    assert "manage.py epoch open" not in told
    page = page_of(cast.ann)
    assert "has seen 12 entries; the tree here has 5" in page
    assert "manage.py epoch open" in page
