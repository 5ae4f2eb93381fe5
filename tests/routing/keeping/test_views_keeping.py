"""Retention, holds and erasures in the portal."""

from __future__ import annotations

import pytest

from approvals.actions.deciding import decide_review
from approvals.models import Review
from ledger.models import LegalHold, RetentionAge
from registry.actors import Actor
from routing.keeping.erasing import carry_out_erasures
from routing.models import Erasure
from tests.routing.keeping.scenes import PERSON, say, tag


@pytest.fixture
def sam(cast, client):
    client.force_login(cast.sam)
    return client


def test_a_person_is_found_by_their_id_and_only_the_tag_is_shown(sam, cast, agent):
    say(agent, of=PERSON)
    seen = sam.post("/retention/erasures/new/", {"scope": "data_subject", "subject": PERSON})
    page = seen.content.decode()
    assert tag() in page
    assert PERSON not in page
    asked = sam.post(
        "/retention/erasures/new/",
        {"scope": "data_subject", "subject": tag(), "reason": "They asked.", "reference": "DSR-7"},
    )
    erasure = Erasure.objects.get()
    assert asked.headers["Location"] == f"/retention/erasures/{erasure.public_id}/"
    decide_review(erasure.review, actor=Actor.of(cast.sue), decision="approve", comment="")
    carry_out_erasures(actor=Actor.system("erasure"))
    page = sam.get(f"/retention/erasures/{erasure.public_id}/").content.decode()
    assert "done" in page
    assert "1 tombstone" in page
    assert '/receipt" download="receipt-ent_' in page
    assert "DSR-7" in sam.get("/retention/").content.decode()


def test_a_hold_is_placed_and_its_end_asked_for(sam, agent):
    placed = sam.post(
        "/retention/holds/new/", {"scope": "agent", "subject": agent.name, "reason": "case 7"}
    )
    hold = LegalHold.objects.get()
    assert placed.headers["Location"] == f"/retention/holds/{hold.public_id}/"
    say(agent, of=PERSON)
    seen = sam.post("/retention/erasures/new/", {"scope": "agent", "subject": agent.name})
    assert "Held until the hold ends: 1 key" in seen.content.decode()
    sam.post(f"/retention/holds/{hold.public_id}/end/", {"reason": "settled"})
    page = sam.get(f"/retention/holds/{hold.public_id}/").content.decode()
    assert "Two people end it" in page
    assert "case 7" in sam.get("/retention/holds/").content.decode()


def test_an_age_is_set_on_its_page(sam):
    assert "Nothing ends by age" in sam.get("/retention/").content.decode()
    form = {"data_class": "personal", "days": "30", "reason": "the policy"}
    short = sam.post("/retention/age/", form)
    assert short.status_code == 422
    assert "184" in short.content.decode()
    assert sam.post("/retention/age/", form | {"days": "200"}).status_code == 302
    assert RetentionAge.objects.get().days == 200
    assert "200 days from" in sam.get("/retention/").content.decode()


@pytest.mark.parametrize(
    "address",
    ["/retention/age/", "/retention/holds/new/", "/retention/erasures/new/"],
)
@pytest.mark.parametrize("who", ["alice", "mallory", "pat", "ann"])
def test_only_security_decides(cast, client, who, address):
    client.force_login(getattr(cast, who))
    assert client.get(address).status_code == 403
    assert client.post(address, {}).status_code == 403


@pytest.mark.parametrize(("who", "status"), [("alice", 403), ("pat", 200), ("ann", 200)])
def test_who_may_look(cast, client, who, status):
    client.force_login(getattr(cast, who))
    assert client.get("/retention/").status_code == status
    assert client.get("/retention/holds/").status_code == status


def test_what_is_wrong_is_said_where_it_was_typed(sam):
    wrong = sam.post("/retention/holds/new/", {"scope": "run", "subject": "x", "reason": "y"})
    assert (wrong.status_code, "no run with this id" in wrong.content.decode()) == (422, True)
    wrong = sam.post("/retention/erasures/new/", {"scope": "agent", "subject": "nobody"})
    assert wrong.status_code == 422
    assert sam.get("/retention/holds/hld_x/").status_code == 404
    assert sam.get("/retention/erasures/ers_x/").status_code == 404


def test_who_decides_reads_in_words_what_would_be_destroyed_and_what_would_end(sam, cast, agent):
    say(agent, of=PERSON)
    sam.post(
        "/retention/erasures/new/",
        {"scope": "agent", "subject": agent.name, "reason": "They asked.", "reference": "T-12"},
    )
    sam.post("/retention/holds/new/", {"scope": "agent", "subject": agent.name, "reason": "Case 7"})
    hold, erasure = LegalHold.objects.get(), Erasure.objects.get()
    sam.post(f"/retention/holds/{hold.public_id}/end/", {"reason": "settled"})
    end = Review.objects.get(kind="hold_end")
    sam.force_login(cast.sue)
    page = sam.get(f"/reviews/{erasure.review}/").content.decode()
    assert "1 in 1 run" in page
    assert f"/retention/erasures/{erasure.public_id}/" in page
    assert "held_keys" not in page
    page = sam.get(f"/reviews/{end.public_id}/").content.decode()
    assert "Case 7" in page
    assert f"/retention/holds/{hold.public_id}/" in page
    assert "{" not in page[page.index("What would end") : page.index("Held because")]
