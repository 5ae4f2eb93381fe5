"""A graph hands its interrupt in and is given what resumes it: once, to one taker."""

from __future__ import annotations

from typing import Any

import pytest

from approvals.actions import decide_review
from effects.actions.carrying_out import carry_out
from effects.interrupts.errors import InterruptUnreadable
from effects.interrupts.shapes import read_interrupt
from effects.models import Connection, Interrupt, Proposal
from kernel import clock
from registry.actors import Actor
from registry.models import Agent
from tests.effects.proposals.story import NOTE, Story, api_of, make_connection, make_operation
from tests.factories import actor, make_agent, make_key

ALL = ["approve", "edit", "reject", "respond"]
CALL = {"name": "add-note", "args": {"customer": "c-17", "note": "Called back."}}
PER_CALL = {
    "discriminator": {"propertyName": "type"},
    "oneOf": [{"$ref": "#/$defs/A"}, {"$ref": "#/$defs/R"}],
    "$defs": {
        "A": {"properties": {"type": {"const": "approve"}}},
        "R": {"properties": {"type": {"const": "reject"}, "message": {"type": "string"}}},
    },
}


def hitl(*calls: dict[str, Any], allowed: list[str] | None = None) -> dict[str, Any]:
    named = {call["name"] for call in calls}
    return {
        "action_requests": [call | {"description": "Please look."} for call in calls],
        "review_configs": [
            {"action_name": name, "allowed_decisions": allowed or ALL} for name in sorted(named)
        ],
    }


def body(value: dict[str, Any], **over: Any) -> dict[str, Any]:
    return {"id": "int-1", "value": value, "response_schema": None, "connection": "crm"} | over


def hand_in(story: Story, value: dict[str, Any], **over: Any) -> str:
    answer = story.api.post("/api/v1/interrupts", body(value, **over))
    assert answer.status_code == 202, answer.content
    return str(answer.json()["id"])


def look(story: Story, made: str, **query: Any) -> Any:
    return story.api.get(f"/api/v1/interrupts/{made}", {"taker": "thread-1"} | query)


def decide(
    story: Story,
    place: int = 0,
    decision: str = "approve",
    *,
    is_let_go: bool = True,
    **more: Any,
) -> Proposal:
    found = Interrupt.objects.get().calls[place]["proposal"]
    made = Proposal.objects.get(public_id=found)
    said = "Not to this customer." if decision == "reject" else ""
    decide_review(
        made.review_id, actor=actor(story.approver), decision=decision, comment=said, **more
    )
    made.refresh_from_db()
    if is_let_go:
        let_go(made)
    return made


def let_go(made: Proposal) -> None:
    """Do what the worker does with what the graph does itself."""
    carry_out(made.public_id, actor=Actor.system("executor"))
    made.refresh_from_db()


@pytest.mark.parametrize("query", ["", "?taker=", "?wait=1"])
def test_who_does_not_say_who_they_are_is_told_to(story: Story, query: str) -> None:
    made = hand_in(story, hitl(CALL))
    answer = story.api.get(f"/api/v1/interrupts/{made}{query}")
    assert answer.status_code == 422
    assert "thread id" in answer.content.decode()


def test_until_people_decided_there_is_no_answer(story: Story) -> None:
    made = hand_in(story, hitl(CALL))
    answer = look(story, made).json()
    assert (answer["state"], answer["taken_at"]) == ("waiting", None)
    assert "decisions" not in answer
    assert [one["state"] for one in answer["proposals"]] == ["proposed"]


def test_an_approved_call_is_approved(story: Story) -> None:
    made = hand_in(story, hitl(CALL))
    decide(story)
    answer = look(story, made).json()
    assert answer["resume"] == {"decisions": [{"type": "approve"}]}
    assert answer["decisions"] == [{"type": "approve"}]


def test_an_edited_call_comes_back_as_it_was_edited(story: Story) -> None:
    made = hand_in(story, hitl(CALL))
    args = CALL["args"] | {"note": "Called back twice."}  # type: ignore[operator]
    decide(story, edited=args)
    assert look(story, made).json()["decisions"] == [
        {"type": "edit", "edited_action": {"name": "add-note", "args": args}}
    ]


def test_a_graph_that_takes_no_edit_is_told_no(story: Story) -> None:
    made = hand_in(story, hitl(CALL, allowed=["approve", "reject"]))
    decide(story, edited=CALL["args"] | {"note": "Other."})  # type: ignore[operator]
    [decision] = look(story, made).json()["decisions"]
    assert decision["type"] == "reject"
    assert "other arguments" in decision["message"]


def test_a_rejected_call_says_why(story: Story) -> None:
    made = hand_in(story, hitl(CALL))
    decide(story, decision="reject")
    assert look(story, made).json()["decisions"] == [
        {"type": "reject", "message": "Not to this customer."}
    ]


def test_all_calls_of_a_turn_are_answered_together_and_in_order(story: Story) -> None:
    other = {"name": "add-note", "args": {"customer": "c-18", "note": "Second."}}
    made = hand_in(story, hitl(CALL, other))
    decide(story, 1, "reject")
    assert look(story, made).json()["state"] == "waiting"
    decide(story, 0)
    kinds = [one["type"] for one in look(story, made).json()["decisions"]]
    assert kinds == ["approve", "reject"]


def test_a_call_in_per_call_mode_is_answered_by_its_id(story: Story) -> None:
    value = {"type": "tool_approval", "tool_call_id": "tc-1", "description": "d", **CALL}
    made = hand_in(story, value, response_schema=PER_CALL)
    decide(story)
    assert look(story, made).json()["resume"] == {"int-1": {"type": "approve"}}


def test_an_answer_is_for_one_taker_who_may_read_it_again(story: Story) -> None:
    made = hand_in(story, hitl(CALL))
    decide(story)
    first = look(story, made, taker="thread-1")
    assert look(story, made, taker="thread-1").json() == first.json()
    second = look(story, made, taker="thread-2")
    assert (second.status_code, second.json()["code"]) == (409, "effects.interrupt_taken")


def test_a_yes_is_none_before_the_worker_looked_again_and_let_it_go(story: Story) -> None:
    made = hand_in(story, hitl(CALL))
    found = decide(story, is_let_go=False)
    assert found.state == "approved"
    assert look(story, made).json()["state"] == "waiting"
    let_go(found)
    assert found.state == "succeeded"
    assert look(story, made).json()["decisions"] == [{"type": "approve"}]


def test_what_was_void_after_the_yes_is_answered_no(story: Story) -> None:
    made = hand_in(story, hitl(CALL))
    found = decide(story, is_let_go=False)
    Connection.objects.update(disabled_at=clock.now())
    let_go(found)
    assert found.state == "failed"
    [decision] = look(story, made).json()["decisions"]
    assert decision["type"] == "reject"
    assert "void" in decision["message"]


def test_the_same_interrupt_is_one_and_another_under_its_id_is_refused(story: Story) -> None:
    made = hand_in(story, hitl(CALL))
    assert hand_in(story, hitl(CALL)) == made
    assert Proposal.objects.count() == 1
    other = hitl({"name": "add-note", "args": {"customer": "c-18", "note": "x"}})
    refused = story.api.post("/api/v1/interrupts", body(other))
    assert (refused.status_code, refused.json()["code"]) == (409, "effects.interrupt_changed")


def test_where_one_call_cannot_be_asked_about_none_is(story: Story) -> None:
    wrong = {"name": "add-note", "args": {"customer": 7}}
    refused = story.api.post("/api/v1/interrupts", body(hitl(CALL, wrong)))
    assert refused.json()["code"] == "effects.arguments_invalid"
    unknown = story.api.post("/api/v1/interrupts", body(hitl(CALL | {"name": "wire"})))
    assert unknown.json()["code"] == "effects.operation_unknown"
    assert not Proposal.objects.exists()


def test_what_the_service_does_itself_is_answered_and_not_done_again(story: Story) -> None:
    crm = make_connection("mail", adapter="http", settings={"base_url": "https://crm.example"})
    template = {"method": "POST", "path": "/notes", "body": {"note": {"$argument": "note"}}}
    make_operation(crm, "send", arguments_schema=NOTE, template=template)
    named = CALL | {"name": "mail.send"}
    refused = story.api.post("/api/v1/interrupts", body(hitl(named, allowed=["approve", "reject"])))
    assert refused.json()["member"] == "value.review_configs"


def test_another_agent_knows_nothing_of_it(story: Story) -> None:
    made = hand_in(story, hitl(CALL))
    other: Agent = make_agent("other", owner=story.cast.alice, stage="live")
    answer = api_of(make_key(other)[1]).get(f"/api/v1/interrupts/{made}?taker=t")
    assert (answer.status_code, answer.json()["code"]) == (404, "effects.interrupt_not_found")


@pytest.mark.parametrize(
    "value",
    [
        7,
        {},
        {"action_requests": []},
        {"action_requests": [CALL] * 21},
        {"action_requests": [{"name": "x"}]},
        {"action_requests": [{"name": "", "args": {}}]},
        {"action_requests": [CALL], "review_configs": 7},
        {"action_requests": [CALL], "review_configs": [{"allowed_decisions": ["shrug"]}]},
        hitl(CALL, allowed=["respond"]),
    ],
)
def test_what_is_no_interrupt_is_refused_by_its_member(value: Any) -> None:
    with pytest.raises(InterruptUnreadable) as refused:
        read_interrupt(value)
    assert str(refused.value.facts["member"]).startswith("value")
