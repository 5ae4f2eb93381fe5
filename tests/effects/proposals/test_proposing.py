"""An agent proposes with its key: what is taken, what is answered, what is on record."""

from __future__ import annotations

import json
import time
from datetime import timedelta
from typing import Any

import pytest
from django.db.models.functions import Now

from effects.actions import proposing
from effects.facts import was_approved
from effects.models import Connection, Operation, Proposal
from effects.reading import action_of
from kernel import clock
from kernel.canonical import digest
from kernel.refs import new_id
from ledger.models import Entry
from ledger.queries import seen
from registry.models import Agent, AgentKey
from routing.models import Run, Stop
from tests.effects.proposals.story import Story, api_of, make_actor_agent
from tests.factories import client_of, make_key


def entries(verb: str) -> list[Any]:
    return [seen(row) for row in Entry.objects.filter(verb=verb).order_by("id")]


def test_what_policy_asks_about_waits_with_a_review(story: Story) -> None:
    answer = story.propose()

    assert answer.status_code == 202
    body = answer.json()
    assert body["state"] == "proposed"
    assert body["target"] == "crm.add-note"
    assert body["review_url"].endswith(f"/reviews/{Proposal.objects.get().review_id}/")
    assert body["run"] == Run.objects.get(label="nightly").run_id


def test_what_policy_allows_is_approved_at_once(story: Story) -> None:
    body = story.body(target="crm.find")
    answer = story.api.post("/api/v1/proposals", body)

    assert answer.status_code == 200
    assert answer.json()["state"] == "approved"
    assert answer.json()["decided_by"] == "policy"
    assert "review_url" not in answer.json()


def test_what_policy_denies_ends_with_its_rule_and_reason(story: Story) -> None:
    Agent.objects.filter(pk=story.agent.pk).update(tools=["crm.find"])

    answer = story.propose()

    assert answer.status_code == 200
    assert answer.json()["state"] == "denied"
    assert answer.json()["rule"] == "actions.tool_undeclared"
    assert "add-note" in answer.json()["reason"]


def test_the_record_binds_the_action_and_keeps_its_words_sealed(story: Story) -> None:
    proposal = story.waiting(arguments={"note": "a personal remark"})

    made, judged = entries("proposal.made")[0], entries("proposal.judged")[0]
    assert made.facts["action"] == proposal.action_digest
    assert judged.facts["answer"] == "ask"
    assert judged.facts["bundle"] == proposal.bundle_digest
    assert judged.facts["input"] == proposal.input_digest
    action = action_of(proposal)
    assert digest(action) == proposal.action_digest
    assert action["arguments"]["note"] == "a personal remark"
    assert action["proposal"] == proposal.public_id
    run = Run.objects.get(label="nightly")
    headers = b"".join(bytes(row.header) for row in Entry.objects.filter(stream=run.run_id))
    assert headers
    assert b"personal remark" not in headers


def test_the_same_request_again_is_the_same_proposal(story: Story) -> None:
    first = story.propose()
    again = story.propose()

    assert (first.status_code, again.status_code) == (202, 200)
    assert again.json()["id"] == first.json()["id"]
    assert Proposal.objects.count() == 1


def test_the_same_request_in_another_order_of_members_is_the_same(story: Story) -> None:
    first = story.propose(arguments={"amount": 1.0})
    body = story.body(arguments={"amount": 1})
    body["action"]["arguments"] = dict(reversed(body["action"]["arguments"].items()))

    again = story.api.post("/api/v1/proposals", dict(reversed(body.items())))

    assert again.json()["id"] == first.json()["id"]


def test_a_key_with_another_request_is_a_conflict(story: Story) -> None:
    first = story.propose()
    other = story.propose(arguments={"note": "Something else."})

    assert other.status_code == 409
    assert other.json()["code"] == "effects.idempotency_key_reused"
    assert other.json()["proposal"] == first.json()["id"]


def test_the_same_action_under_further_keys_is_one_question(story: Story) -> None:
    first = story.propose("k-1")
    second, again = story.propose("k-2"), story.propose("k-2")

    assert {second.json()["id"], again.json()["id"]} == {first.json()["id"]}
    assert second.status_code == again.status_code == 200
    assert story.propose("k-2", arguments={"note": "x"}).status_code == 409


def test_an_agent_has_only_so_many_open_and_others_go_on(story: Story, settings: Any) -> None:
    settings.PROPOSALS_PER_AGENT = 2
    for number in range(2):
        story.waiting(f"k-{number}", arguments={"note": f"note {number}"})

    full = story.propose("k-9", arguments={"note": "one more"})

    assert full.status_code == 429
    assert full.json()["code"] == "effects.queue_full"
    assert (full.json()["open"], full.json()["limit"]) == (2, 2)
    assert full["Retry-After"]
    other = make_actor_agent("other", story.cast.mallory)
    body = story.body("k-1")
    assert api_of(make_key(other)[1]).post("/api/v1/proposals", body).status_code == 202


@pytest.mark.parametrize(
    ("arguments", "path"),
    [
        ({"note": 7}, "arguments/note"),
        ({"amount": "7"}, "arguments/amount"),
        ({"b/c~": 1}, "arguments"),
    ],
)
def test_arguments_that_do_not_fit_are_named_by_their_path(
    story: Story, arguments: dict[str, Any], path: str
) -> None:
    answer = story.propose(arguments=arguments)

    assert answer.status_code == 422
    assert answer.json()["code"] == "effects.arguments_invalid"
    assert answer.json()["errors"][0]["path"] == path


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        (b'{"run": "a", "run": "b"}', 400),
        (b'{"action": {"arguments": {"amount": NaN}}}', 400),
        (b'{"action": ' * 70 + b"1" + b"}" * 70, 400),
        (b'{"action": {"adapter": "agent", "target": "crm.find", "arguments": [1]}}', 422),
        (b'{"action": {"adapter": "agent", "target": "crm.find"}, "url": "http://x"}', 422),
        (b"[1]", 422),
    ],
)
def test_what_is_no_strict_request_is_refused(story: Story, raw: bytes, status: int) -> None:
    answer = story.api.post("/api/v1/proposals", data=raw, content_type="application/json")

    assert answer.status_code == status


def test_no_argument_makes_a_pattern_slow(story: Story) -> None:
    schema = {"type": "object", "properties": {"note": {"pattern": "^(a+)+$"}}}
    Operation.objects.update(arguments_schema=schema)

    began = time.monotonic()
    answer = story.propose(arguments={"note": "a" * 5000 + "!"})

    assert time.monotonic() - began < 60
    assert answer.json()["errors"][0]["path"] == "arguments/note"


def test_an_answer_about_the_agent_as_it_was_is_none(story: Story) -> None:
    operation = Operation.objects.select_related("connection").get(name="find")
    judged = proposing._judge(story.agent, operation, {})
    held = Agent.objects.select_related("owner", "team", "current_version")
    proposing._check_still(judged, held.get(pk=story.agent.pk), operation)

    Agent.objects.filter(pk=story.agent.pk).update(stage="soft_launch")

    with pytest.raises(proposing._Outrun):
        proposing._check_still(judged, held.get(pk=story.agent.pk), operation)


def test_arguments_that_nobody_could_read_are_too_large(story: Story) -> None:
    answer = story.propose(arguments={"note": "x" * 100_000})

    assert answer.status_code == 413
    assert answer.json()["code"] == "effects.arguments_too_large"


@pytest.mark.parametrize("target", ["crm.nothing", "nothing.find", "crm", "crm.", ".find"])
def test_an_operation_that_nobody_offers_is_refused(story: Story, target: str) -> None:
    answer = story.propose(target=target)

    assert answer.status_code == 422
    assert answer.json()["code"] in {"effects.operation_unknown", "kernel.invalid"}


def test_an_operation_that_is_retired_or_disabled_is_not_offered(story: Story) -> None:
    Operation.objects.filter(name="add-note").update(retired_at=Now())
    assert story.propose().json()["code"] == "effects.operation_unknown"
    Connection.objects.update(disabled_at=Now())
    assert story.propose(target="crm.find").json()["code"] == "effects.operation_unknown"


def test_another_agents_run_is_unknown(story: Story) -> None:
    other = make_actor_agent("other", story.cast.mallory)
    body = story.body() | {"run": ""}
    theirs = api_of(make_key(other)[1]).post("/api/v1/proposals", body | {"run": "nightly"})

    answer = story.propose(run=theirs.json()["run"])

    assert answer.status_code == 404
    assert answer.json()["code"] == "effects.run_unknown"
    assert story.propose(run=new_id("run")).status_code == 404


def test_a_run_of_its_own_is_found_by_its_id(story: Story) -> None:
    first = story.propose("k-1").json()
    second = story.propose("k-2", run=first["run"], arguments={"note": "x"}).json()

    assert second["run"] == first["run"]


def stop(scope: str, subject: str) -> None:
    Stop.objects.create(
        public_id=new_id("stp"), scope=scope, subject=subject, subject_name="x", reason="x",
        placed_by="system:test", placed_as="security", placed_at=clock.now(),
    )  # fmt: skip


def test_who_may_not_act_may_not_propose(story: Story) -> None:
    rows = Agent.objects.filter(pk=story.agent.pk)
    rows.update(suspended_at=Now(), suspended_reason="x", suspended_by="system:test")
    answer = story.propose()
    assert (answer.status_code, answer.json()["code"]) == (403, "effects.may_not_propose")
    rows.update(suspended_at=None, suspended_reason="", suspended_by="")

    stop("owner", story.cast.alice.public_id)
    assert story.propose().json()["why"] == "stop"
    Stop.objects.all().delete()
    AgentKey.objects.update(revoked_at=Now(), revoked_by="x", revoked_reason="x")
    assert story.propose().status_code == 401
    assert Proposal.objects.count() == 0


def test_people_do_not_propose_and_agents_do_not_read_each_other(story: Story) -> None:
    made = story.waiting()
    other = make_actor_agent("other", story.cast.mallory)
    at = f"/api/v1/proposals/{made.public_id}"

    assert client_of(story.cast.alice).post("/api/v1/proposals", story.body()).status_code == 401
    assert api_of(make_key(other)[1]).get(at).status_code == 404
    assert story.api.get(at).json()["id"] == made.public_id


@pytest.mark.parametrize(
    ("who", "status"),
    [
        ("alice", 200), ("bob", 200), ("sam", 200), ("pat", 200), ("ann", 200),
        ("mallory", 404), ("olga", 200),
    ],
)  # fmt: skip
def test_people_read_what_they_answer_for_decide_or_govern(
    story: Story, who: str, status: int
) -> None:
    made = story.waiting()
    person = story.approver if who == "olga" else getattr(story.cast, who)

    answer = client_of(person).get(f"/api/v1/proposals/{made.public_id}")

    assert answer.status_code == status
    listed = client_of(person).get("/api/v1/proposals").json()["results"]
    assert len(listed) == (1 if status == 200 else 0)


def test_the_list_is_filtered_and_searched(story: Story) -> None:
    story.waiting()
    story.propose("k-2", target="crm.find")
    client = client_of(story.cast.alice)

    def ids(**query: str) -> int:
        answer = client.get("/api/v1/proposals", query)
        assert answer.status_code == 200, answer.content
        return len(answer.json()["results"])

    assert ids() == 2
    assert ids(state="proposed") == ids(state="approved") == 1
    assert ids(operation="crm.find") == 1
    assert ids(agent="note-taker") == 2
    assert ids(agent="x") == 0
    assert ids(search="add-note") == 1
    assert ids(run=Run.objects.get().run_id) == 2


def test_without_a_policy_nothing_is_done(story: Story) -> None:
    from rules.models import Activation

    Activation.objects.update(ended_at=Now())

    answer = story.propose()

    assert answer.json()["state"] == "denied"
    assert answer.json()["rule"] == "policy.unavailable"


def test_an_action_is_new_until_people_approved_one(story: Story) -> None:
    story.waiting()
    told = [json.dumps(each.facts) for each in entries("proposal.judged")]

    assert "actions.new" in told[0]
    Proposal.objects.update(
        state="succeeded", decided_how="people", decided_digest="x", decided_entry="x",
        decided_at=Now(), ended_at=Now(),
    )  # fmt: skip
    monday = clock.now().replace(year=2026, month=11, day=23, hour=10)
    with clock.held_at(monday):
        answer = story.propose("k-2", arguments={"note": "another"})
    assert answer.json()["state"] == "approved", answer.content
    assert timedelta(0) < Proposal.objects.get(idempotency_key="k-2").expires_at - clock.now()
    # A further version, which does something else under the name, is new again.
    done = Proposal.objects.filter(decided_how="people").get()
    assert was_approved(done.agent, done.operation)
    done.operation.digest = digest({"another": "template"})
    assert not was_approved(done.agent, done.operation)
