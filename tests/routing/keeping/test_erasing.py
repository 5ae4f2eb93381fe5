"""A person's data is destroyed when two people agree, and never while it is held."""

from __future__ import annotations

from typing import Any

import pytest

from approvals.actions.deciding import decide_review
from approvals.actions.ending import withdraw_review
from approvals.errors import OwnMatter
from approvals.models import Review
from ledger.errors import PayloadShredded
from ledger.models import DataKey, Entry
from ledger.payloads import read_payload
from ledger.queries import entry_for
from ledger.subjects import DataSubjectUnusable
from ledger.verification import verify_all
from registry.actors import Actor
from registry.models import Role
from routing.keeping.deciding import end_hold, keep_retention, place_hold
from routing.keeping.erasing import carry_out_erasures, preview_erasure, request_erasure
from routing.keeping.errors import ErasureUnderWay, HoldEnded, MayNotKeep, NothingNamed
from routing.models import Erasure, Run, StoredResponse
from tests.factories import make_person
from tests.routing.keeping.scenes import CANARY, PERSON, plaintext_anywhere, say, tag

SWEEP = Actor.system("erasure")


def ask(cast: Any, scope: str = "data_subject", subject: str = PERSON, **over: Any) -> Erasure:
    given = {"reason": "They asked for it.", "data_classes": [], "reference": "DSR-7"} | over
    return request_erasure(scope, subject, actor=Actor.of(cast.sam), **given)


def agree(erasure: Erasure, who: Any) -> None:
    decide_review(erasure.review, actor=Actor.of(who), decision="approve", comment="ok")


def read(entry_id: str, cast: Any) -> bytes:
    return read_payload(entry_id, actor=Actor.of(cast.sam).ref, reason="a look")


def test_only_what_is_of_the_person_goes(cast, sue, agent):
    theirs, other = say(agent, of=PERSON), say(agent, b"of nobody")
    third = say(agent, b"of another", of="customer-1")
    erasure = ask(cast)
    assert carry_out_erasures(actor=SWEEP) == 0  # nobody has agreed yet
    assert read(theirs.entry_id, cast) == CANARY
    agree(erasure, sue)
    assert carry_out_erasures(actor=SWEEP) == 1
    with pytest.raises(PayloadShredded):
        read(theirs.entry_id, cast)
    assert read(other.entry_id, cast) == b"of nobody"
    assert read(third.entry_id, cast) == b"of another"
    erasure.refresh_from_db()
    assert (erasure.state, erasure.keys_destroyed, erasure.keys_held) == ("done", 1, 0)
    done = entry_for(erasure.entry)
    assert (done.verb, done.facts["keys"], done.facts["reference"]) == (
        "erasure.completed", 1, "DSR-7",
    )  # fmt: skip
    tombstone = Entry.objects.get(verb="datakey.shredded")
    assert tombstone.subject == f"erasure:{erasure.public_id}"
    assert verify_all().is_valid
    assert plaintext_anywhere() == []


def test_the_data_of_an_agent_goes_with_all_whom_it_spoke_of(cast, sue, agent):
    say(agent, of=PERSON)
    say(agent)
    erasure = ask(cast, "agent", agent.name)
    agree(erasure, sue)
    assert carry_out_erasures(actor=SWEEP) >= 2
    assert not DataKey.objects.filter(state="active", scope__startswith=agent.public_id).exists()


def test_it_can_be_one_data_class_only(cast, sue, agent):
    say(agent, of=PERSON)
    erasure = ask(cast, data_classes=["regulated"])
    agree(erasure, sue)
    assert carry_out_erasures(actor=SWEEP) == 0
    erasure.refresh_from_db()
    assert erasure.state == "done"
    assert DataKey.objects.filter(scope__endswith=tag(), state="active").exists()


def test_neither_asker_nor_others_decide(cast, sue, agent):
    say(agent, of=PERSON)
    erasure = ask(cast)
    with pytest.raises(OwnMatter):
        agree(erasure, cast.sam)
    for who in (cast.alice, cast.mallory, cast.pat):
        with pytest.raises(MayNotKeep):
            request_erasure(
                "data_subject", PERSON, actor=Actor.of(who), reason="x", data_classes=[]
            )
    with pytest.raises(MayNotKeep):
        request_erasure("data_subject", PERSON, actor=SWEEP, reason="x", data_classes=[])


@pytest.mark.parametrize("end", ["reject", "withdraw"])
def test_what_nobody_agreed_to_is_not_carried_out(cast, sue, agent, end):
    said = say(agent, of=PERSON)
    erasure = ask(cast)
    with pytest.raises(ErasureUnderWay):
        ask(cast)
    if end == "reject":
        decide_review(erasure.review, actor=Actor.of(sue), decision="reject", comment="no")
    else:
        withdraw_review(erasure.review, actor=Actor.of(cast.sam))
    assert carry_out_erasures(actor=SWEEP) == 0
    erasure.refresh_from_db()
    assert erasure.state == "ended"
    assert read(said.entry_id, cast) == CANARY
    ask(cast)


def test_a_hold_keeps_what_it_covers_until_two_people_end_it(cast, sue, agent):
    say(agent, of=PERSON)
    hold = place_hold("agent", agent.name, actor=Actor.of(sue), reason="case 7")
    _, _, seen = preview_erasure("data_subject", PERSON, actor=Actor.of(cast.sam), data_classes=[])
    assert (seen.keys, seen.held_keys, seen.holds) == (1, 1, [hold])
    erasure = ask(cast)
    agree(erasure, sue)
    assert carry_out_erasures(actor=SWEEP) == 0
    erasure.refresh_from_db()
    assert (erasure.state, erasure.keys_held) == ("approved", 1)
    asked = end_hold(hold.public_id, actor=Actor.of(cast.sam), reason="settled")
    assert asked.review is not None
    with pytest.raises(OwnMatter):  # who placed it does not decide
        decide_review(asked.review.public_id, actor=Actor.of(sue), decision="approve", comment="ok")
    third = make_person("tess", Role.SECURITY)
    decide_review(asked.review.public_id, actor=Actor.of(third), decision="approve", comment="ok")
    ended = end_hold(hold.public_id, actor=Actor.of(cast.sam), reason="settled")
    assert ended.review is None
    with pytest.raises(HoldEnded):
        end_hold(hold.public_id, actor=Actor.of(cast.sam), reason="settled")
    assert carry_out_erasures(actor=SWEEP) == 1
    erasure.refresh_from_db()
    assert (erasure.state, erasure.keys_held) == ("done", 0)


def test_what_comes_after_it_began_stays(cast, sue, agent):
    say(agent, of=PERSON)
    erasure = ask(cast)
    agree(erasure, sue)
    carry_out_erasures(actor=SWEEP)
    later = say(agent, b"later", of=PERSON)
    carry_out_erasures(actor=SWEEP)
    assert read(later.entry_id, cast) == b"later"


def test_a_preview_says_what_would_go(cast, agent):
    say(agent, of=PERSON)
    say(agent, of=PERSON, run="run_b")
    found, name, seen = preview_erasure(
        "data_subject", PERSON, actor=Actor.of(cast.sam), data_classes=[]
    )
    assert (found, name) == (tag(), "")
    assert (seen.keys, seen.payloads, seen.runs, seen.agents) == (2, 2, 2, 1)
    assert seen.classes == ["internal"]
    assert not seen.is_more
    again, _, _ = preview_erasure("data_subject", found, actor=SWEEP, data_classes=[])
    assert again == found  # a tag stands for itself


def test_what_points_at_other_copies_goes_too(cast, sue, agent):
    said = say(agent, of=PERSON, run="run_x")
    Run.objects.create(
        run_id="run_x",
        agent_id=agent.public_id,
        label="of-jane-doe",
        started_at=said.fields.recorded_at,
    )
    StoredResponse.objects.create(
        response_id="resp_1", agent_id=agent.public_id, vendor_id="ven_1", model="m", route="r",
        intent_id=said.entry_id, created_at=said.fields.recorded_at,
    )  # fmt: skip
    erasure = ask(cast)
    agree(erasure, sue)
    carry_out_erasures(actor=SWEEP)
    assert not StoredResponse.objects.exists()
    assert Run.objects.get().label == "run_x"


@pytest.mark.parametrize("subject", ["", " ", "x" * 201])
def test_nobody_is_no_data_subject(cast, subject):
    with pytest.raises(DataSubjectUnusable):
        ask(cast, subject=subject)
    with pytest.raises(NothingNamed):
        ask(cast, "agent", "no-such-agent")
    with pytest.raises(NothingNamed):
        ask(cast, reason=" ")
    assert not Review.objects.exists()


def test_the_sweep_of_ages_is_safe_to_run_at_any_time(cast, agent):
    said = say(agent)
    keep_retention(actor=Actor.system("retention"))
    keep_retention(actor=Actor.system("retention"))
    assert read(said.entry_id, cast) == CANARY


def test_who_owns_an_agent_does_not_decide_what_becomes_of_its_record(cast, sue, agent):
    agent.backup_owner = sue
    agent.save(update_fields=["backup_owner"])
    say(agent)
    erasure = ask(cast, "agent", agent.name)
    with pytest.raises(OwnMatter):
        agree(erasure, sue)
    hold = place_hold("agent", agent.name, actor=Actor.of(cast.sam), reason="A case.")
    third = make_person("third", "security")
    asked = end_hold(hold.public_id, actor=Actor.of(third), reason="It is settled.").review
    assert asked is not None
    with pytest.raises(OwnMatter):
        decide_review(asked.public_id, actor=Actor.of(sue), decision="approve", comment="ok")
