from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from effects.actions.carrying_out import carry_out
from effects.models import Effect, Proposal
from kernel import clock
from ledger.models import Entry
from registry.models import AgentKey
from tests.effects.acts import (
    EXECUTOR,
    effect_of,
    let_time_come,
    make_approved,
    make_connection,
    make_operation,
    state_of,
)
from tests.effects.sinks import HttpSink
from tests.factories import Cast, browser_of, make_agent, make_cast, make_person

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def cast(db: None) -> Cast:
    return make_cast()


def lost(sink: HttpSink, cast: Cast, **over: Any) -> Proposal:
    """An action whose answer was lost: done over there, and nobody here knows."""
    sink.breaks = "after"
    settings = {"base_url": sink.url, "timeout_seconds": 5}
    operation = make_operation(make_connection(settings=settings), **over)
    agent = make_agent("payer", owner=cast.sam, backup_owner=cast.bob, stage="live")
    proposal = make_approved(operation, agent)
    assert carry_out(proposal.public_id, actor=EXECUTOR) == "unknown"
    sink.breaks = ""
    return proposal


def say(person: Any, proposal: Proposal, end: str, note: str = "I looked at the ledger.") -> Any:
    return browser_of(person).post(
        f"/effects/unknown/{proposal.public_id}/", {"end": end, "note": note}
    )


def test_the_page_says_what_is_not_known_and_why(sink: HttpSink, cast: Cast) -> None:
    proposal = lost(sink, cast)
    page = browser_of(cast.sue).get("/effects/unknown/").content.decode()
    assert "crm.note" in page
    assert "took the request and gave no answer" in page
    assert "A person looks" in page
    one = browser_of(cast.ann).get(f"/effects/unknown/{proposal.public_id}/").content.decode()
    assert effect_of(proposal).key in one
    assert "Say what happened" not in one  # an auditor reads
    assert browser_of(cast.alice).get("/effects/unknown/").status_code == 403
    assert browser_of(cast.sue).get("/effects/unknown/prp_none/").status_code == 404


@pytest.mark.parametrize(("end", "state"), [("done", "succeeded"), ("not_done", "failed")])
def test_a_person_says_what_happened_and_the_note_lies_encrypted_on_record(
    sink: HttpSink, cast: Cast, end: str, state: str
) -> None:
    proposal = lost(sink, cast)
    assert say(cast.sue, proposal, end, note="").status_code == 422
    assert say(cast.sue, proposal, end, note="Booked twice? No: once.").status_code == 302
    assert state_of(proposal) == state
    effect = effect_of(proposal)
    assert (effect.reconciled_how, effect.reconciled_by) == ("person", str(cast.sue.ref))
    entry = Entry.objects.get(verb="effect.reconciled")
    assert "Booked" not in bytes(entry.header).decode()
    assert say(cast.pat, proposal, "done").status_code == 404  # known now
    assert len(sink.asked) == 1


def test_what_was_surely_not_done_is_tried_again_under_its_key(sink: HttpSink, cast: Cast) -> None:
    sink.honours_keys = False
    proposal = lost(sink, cast)
    sink.done.clear()  # as if it had not been done
    assert say(cast.sue, proposal, "again").status_code == 302
    assert state_of(proposal) == "approved"
    let_time_come()
    assert carry_out(proposal.public_id, actor=EXECUTOR) == "succeeded"
    assert len(sink.done) == 1


def test_nothing_is_tried_again_after_the_approval_has_run_out(sink: HttpSink, cast: Cast) -> None:
    proposal = lost(sink, cast)
    past = clock.now() - timedelta(seconds=1)
    Proposal.objects.filter(pk=proposal.pk).update(expires_at=past)
    assert say(cast.sue, proposal, "again").status_code == 302
    assert state_of(proposal) == "failed"


def test_where_it_moves_money_somebody_who_took_no_part_says_so(sink: HttpSink, cast: Cast) -> None:
    proposal = lost(sink, cast, effect="money")
    refused = say(cast.sam, proposal, "done")  # sam guards security, and owns the agent
    assert refused.status_code == 422
    assert "took no part" in refused.content.decode()
    assert state_of(proposal) == "unknown"
    assert say(cast.mallory, proposal, "done").status_code == 403
    assert say(cast.sue, proposal, "done").status_code == 302


def test_a_second_account_and_the_keys_issuer_have_a_part_in_it(sink: HttpSink, cast: Cast) -> None:
    proposal = lost(sink, cast, effect="money")
    again = make_person("sam+desk", "security")
    issuer = make_person("ivy", "platform")
    AgentKey.objects.filter(public_id=proposal.key_id).update(created_by=str(issuer.ref))
    for person in (again, issuer):
        refused = say(person, proposal, "again")
        assert (refused.status_code, state_of(proposal)) == (422, "unknown"), person
    assert say(cast.sue, proposal, "again").status_code == 302


def test_the_other_system_is_asked_when_somebody_wants_it(sink: HttpSink, cast: Cast) -> None:
    proposal = lost(sink, cast, idempotency="lookup")
    Effect.objects.update(again_at=None)
    path = f"/effects/unknown/{proposal.public_id}/ask/"
    assert browser_of(cast.ann).post(path).status_code == 403
    assert browser_of(cast.pat).post(path).status_code == 302
    assert effect_of(proposal).again_at is not None
