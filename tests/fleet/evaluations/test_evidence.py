"""What an evaluation rests on: the record as it was made, corrections of people, and no way out."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import connection, transaction

from approvals.actions import decide_review
from effects.models import Effect, Proposal
from fleet.evaluations.actions.beginning import begin_evaluation
from fleet.evaluations.actions.ending import carry_out
from fleet.evaluations.models import Asking, Evaluation, GoldenCase
from fleet.evaluations.queries.reports import verdict_on
from fleet.telling.models import Copy
from ledger.models import Entry
from registry.actors import Actor
from routing.gateway.runs import run_named
from tests.effects.proposals.story import (
    api_of,
    make_actor_agent,
    make_connection,
    make_operation,
)
from tests.factories import actor, browser_of, client_of, make_key, make_person, make_run
from tests.fleet.evaluations.scene import WORKER, Scene, question, tool_call

pytestmark = [pytest.mark.django_db(transaction=True)]
NOTE = {"type": "function", "function": {"name": "crm.add-note", "parameters": {"type": "object"}}}


def compared(scene: Scene, *candidates: Any, **over: Any) -> Evaluation:
    made = begin_evaluation(
        agent=scene.agent, baseline=scene.baseline, candidates=candidates, asks_baseline=False,
        actor=Actor.of(scene.cast.alice), **over,
    )  # fmt: skip
    made = carry_out(made, actor=WORKER)
    assert made.phase == "over", made.held_up
    return made


def tamper(entry: Entry) -> None:
    """Change what was recorded, as somebody who owns the database's machine may."""
    header = bytes(entry.header).replace(b'"route"', b'"rout3"', 1)
    assert header != bytes(entry.header)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute(
            "UPDATE ledger_entry SET header = %s WHERE entry_id = %s", [header, entry.entry_id]
        )


def test_entries_that_are_not_what_was_recorded_are_named_and_nothing_passes_beside_them(
    scene: Scene, gateway: Any, serving: Any
) -> None:
    guard = make_person("sana", "security")
    scene.runs(84, lambda number: (question(f"Sort {number}."), "Invoice."))
    asked, said = Entry.objects.filter(kind="intent")[3], Entry.objects.filter(kind="result")[7]
    tamper(asked)
    tamper(said)
    good = scene.model("new-ai", "new-1", serving(lambda body: "Invoice.").address)
    made = compared(scene, good, sample=84)
    assert set(made.altered) == {asked.entry_id, said.intent_id}
    assert made.excluded == {"altered": 2}
    assert made.runs == 82
    # Nothing was wrong with the candidate; the record is not what it was, so nobody is moved.
    assert verdict_on(made, good) == "inconclusive"
    page = browser_of(scene.cast.alice).get(f"/evaluations/{made.public_id}/").content.decode()
    assert "2 entries of the record are not what was recorded" in page
    assert asked.entry_id in page
    told = client_of(scene.cast.alice).get(f"/api/v1/evaluations/{made.public_id}").data
    assert set(told["sample"]["altered"]) == set(made.altered)
    assert Copy.objects.filter(message__kind="evaluation", person=guard).count() == 1


def test_a_reviewers_correction_is_asked_of_every_candidate(
    scene: Scene, gateway: Any, serving: Any
) -> None:
    make_operation(make_connection(), "add-note")
    scene.agent = make_actor_agent("note-taker", scene.cast.alice, backup_owner=scene.cast.bob)
    asked = {"customer": "c-17", "note": "Call back at once!!"}
    right = asked | {"note": "Call back."}
    named = run_named(scene.agent.public_id, "nightly")
    run = make_run(scene.agent, "nightly", run_id=named.run_id)
    scene.call(run, question("Note it.", tools=[NOTE]), tool_call("crm.add-note", **asked))
    _, key = make_key(scene.agent)
    action = {"adapter": "agent", "target": "crm.add-note", "arguments": asked}
    answer = api_of(key).post(
        "/api/v1/proposals", {"run": "nightly", "action": action, "idempotency_key": "k-1"}
    )
    assert answer.status_code == 202, answer.content
    proposal = Proposal.objects.get()
    approver = make_person("olga", "approver")
    decide_review(proposal.review_id, actor=actor(approver), decision="approve", edited=right)
    made = client_of(scene.cast.alice).post(
        f"/api/v1/proposals/{proposal.public_id}/golden-case", {}, format="json"
    )
    assert made.status_code == 201, made.data
    golden = GoldenCase.objects.get()
    assert (golden.source, golden.source_id, golden.expects) == (
        "correction", proposal.public_id, "tool",
    )  # fmt: skip
    learnt = serving(lambda body: tool_call("crm.add-note", **right))
    same = serving(lambda body: tool_call("crm.add-note", **asked))
    one, two = scene.model("a-ai", "a", learnt.address), scene.model("b-ai", "b", same.address)
    report = compared(scene, one, two)
    held = {
        arm.target: next(each["verdict"] for each in arm.figures if each["axis"] == "golden")
        for arm in report.arms.all()
    }
    faults = list(Asking.objects.values_list("case__kind", "state", "error"))
    assert held == {"a-ai/a": "passed", "b-ai/b": "failed"}, faults


@contextmanager
def connections() -> Iterator[list[Any]]:
    """Note every address that Python code of this process connects to."""
    seen: list[Any] = []
    is_on = [True]

    def hook(event: str, details: tuple[Any, ...]) -> None:
        if is_on[0] and event == "socket.connect":
            seen.append(details[1])

    sys.addaudithook(hook)  # there for good, and silent once it is off
    try:
        yield seen
    finally:
        is_on[0] = False


def test_what_is_evaluated_causes_nothing_and_asks_nobody_but_the_candidate(
    scene: Scene, gateway: Any, serving: Any
) -> None:
    away = serving(lambda body: "Nobody asked.")
    scene.baseline.vendor.base_url = away.address
    scene.baseline.vendor.save(update_fields=["base_url"])
    run = make_run(scene.agent, "booking")
    first = question("What is on account 4711?")
    scene.call(run, first, tool_call("read_account", account="4711"))
    # The next step holds what the tool said on the day; a candidate is told that, and no tool.
    then = [
        *first["messages"],
        {"role": "assistant", **tool_call("read_account", account="4711")},
        {"role": "tool", "tool_call_id": "call_1", "content": "Balance: 12.50"},
    ]
    scene.call(run, {"messages": then}, "There are 12.50 on it.")
    eager = serving(lambda body: tool_call("pay", to="mallory", url=f"{away.address}/pay"))
    with connections() as reached:
        compared(scene, scene.model("eager-ai", "eager", eager.address))
    assert [bool(one["messages"][-1]["role"] == "tool") for one in eager.seen].count(True) == 1
    assert "Balance: 12.50" in json.dumps(eager.seen)
    assert away.seen == []
    outside = {place for place in reached if isinstance(place, tuple)}
    assert {place[1] for place in outside} <= {gateway.port, _port(eager.address)}, outside
    assert not Proposal.objects.exists()
    assert not Effect.objects.exists()


def _port(address: str) -> int:
    return int(address.removesuffix("/v1").rpartition(":")[2])
