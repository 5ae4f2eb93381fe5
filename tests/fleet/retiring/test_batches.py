"""Many agents at once, through the admin's own pages: previewed, begun once, gone on with."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import time
from datetime import timedelta
from html import unescape

import pytest
from django.db import connection, connections, transaction
from django.test import Client

from fleet.retiring.actions import batches
from fleet.retiring.actions.bulk_steps import STEPS, plan_of
from fleet.retiring.actions.planning import Plan, plan_retirement
from fleet.retiring.models import Batch, BatchItem, Retirement
from fleet.retiring.queries.foreseen import rule_of
from kernel import clock
from ledger.models import Entry
from registry.actors import Actor
from registry.models import Agent
from tests.factories import Cast, actor, make_agent, make_key

LIST = "/admin/registry/agent/"
# The fewest that the worker takes; `make soak` raises it to the thousand of the promise.
SIZE = int(os.environ.get("UNSPRAWL_SOAK_BATCH", "0")) or batches.AT_ONCE + 1


@pytest.fixture
def pat(cast: Cast) -> Client:
    client = Client()
    client.force_login(cast.pat)
    return client


def agents_of(cast: Cast, number: int, stage: str = "live") -> list[Agent]:
    return [make_agent(f"bulk-{n:05}", owner=cast.alice, stage=stage) for n in range(number)]


def choose(client: Client, step: str, agents: list[Agent], **more: object) -> str:
    """Choose agents in the list and a step above it; return the page one is led to."""
    sent = {"action": f"bulk_{step}", "_selected_action": [agent.pk for agent in agents], **more}
    response = client.post(LIST, sent)
    assert response.status_code == 302, response.content[:500]
    return str(response["Location"])


def words(client: Client, page: str) -> str:
    text = unescape(client.get(page).content.decode())
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", text))


def kill_midway(agent: Agent) -> int:
    """Let another process carry the batch out and kill it at one agent; return what it has done.

    The agent is held here, so the process is at it and nowhere else when it is killed.
    """
    connections.close_all()
    child = os.fork()
    if not child:
        with contextlib.suppress(BaseException):
            batches.carry_out_running()
        os._exit(0)
    try:
        with transaction.atomic():
            Agent.objects.select_for_update().get(pk=agent.pk)
            deadline = time.monotonic() + 120
            while not waits_for_me():
                assert time.monotonic() < deadline
                time.sleep(0.02)
            os.kill(child, signal.SIGKILL)
            return BatchItem.objects.filter(state="done").count()
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def waits_for_me() -> bool:
    """Say whether another connection waits for what this one holds."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity"
            " WHERE pg_backend_pid() = ANY (pg_blocking_pids(pid))"
        )
        row = cursor.fetchone()
    return bool(row and row[0])


def carried_out(batch: Batch) -> bool:
    """Carry on, which is left to nobody else while the killed one's connection still lives."""
    batches.carry_out_running()
    batch.refresh_from_db()
    return batch.state == "done"


def test_the_preview_says_what_happens_to_whom_and_changes_nothing(pat: Client, cast: Cast) -> None:
    good = agents_of(cast, 3)
    make_key(good[0])
    bad = make_agent("a-draft", owner=cast.alice)
    page = choose(pat, "retire", [*good, bad])
    said = words(pat, page)
    assert "3 agents: retire now. bulk-00000, bulk-00001, bulk-00002" in said
    assert "1 keys that work revoked" in said
    assert "1, because it is draft: a-draft" in said
    assert set(Agent.objects.values_list("stage", flat=True)) == {"live", "draft"}
    assert Retirement.objects.count() == 0


def test_what_is_dangerous_asks_for_the_number_typed_and_a_reason(pat: Client, cast: Cast) -> None:
    page = choose(pat, "retire", agents_of(cast, 2))
    assert pat.post(page, {"begin": "1", "reason": "Old."}).status_code == 422
    assert pat.post(page, {"begin": "1", "typed": "retire 2"}).status_code == 422
    assert Retirement.objects.count() == 0
    done = pat.post(page, {"begin": "1", "reason": "Old.", "typed": "retire 2"})
    assert done.status_code == 302
    assert set(Agent.objects.values_list("stage", flat=True)) == {"retired"}
    assert "2 done, 0 refused" in words(pat, page)


def test_sent_twice_it_is_done_once(pat: Client, cast: Cast) -> None:
    page = choose(pat, "suspend", agents_of(cast, 2))
    sent = {"begin": "1", "reason": "Odd.", "typed": "suspend 2"}
    assert pat.post(page, sent).status_code == 302
    assert pat.post(page, sent).status_code == 200
    assert Entry.objects.filter(verb="agent.suspended").count() == 2
    assert Entry.objects.filter(verb="batch.begun").count() == 1


@pytest.mark.django_db(transaction=True)
def test_many_are_carried_out_by_the_worker_also_after_one_was_killed(
    pat: Client, cast: Cast
) -> None:
    agents = agents_of(cast, SIZE)
    page = choose(pat, "plan", agents[:1], select_across="1")
    form = {"on": "2027-03-01", "drain_minutes": "60", "data": "keep"}
    assert f"{SIZE} agents: plan retirement" in re.sub(
        r"\s+", " ", re.sub(r"<[^>]+>", " ", pat.post(page, form | {"look": "1"}).content.decode())
    )
    assert pat.post(page, form | {"begin": "1", "reason": "Old."}).status_code == 302
    batch = Batch.objects.get()
    assert batch.state == "running"

    done = kill_midway(agents[SIZE // 3])
    assert 0 < done < SIZE
    deadline = time.monotonic() + 120
    while not carried_out(batch):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert Agent.objects.filter(stage="deprecated").count() == SIZE
    assert Entry.objects.filter(verb="agent.deprecated").count() == SIZE


def test_a_step_that_an_agent_refuses_is_its_result_and_the_rest_goes_on(
    pat: Client, cast: Cast
) -> None:
    agents = agents_of(cast, 3)
    page = choose(pat, "deprecate", agents)
    Agent.objects.filter(pk=agents[1].pk).update(stage="deprecated")
    pat.post(page, {"begin": "1", "reason": "Old."})
    assert list(BatchItem.objects.order_by("agent_name").values_list("state", flat=True)) == [
        "done", "refused", "done",
    ]  # fmt: skip


def test_an_owner_is_reassigned_and_what_cannot_be_is_named(pat: Client, cast: Cast) -> None:
    agents = agents_of(cast, 2)
    page = choose(pat, "reassign", agents)
    unknown = pat.post(page, {"begin": "1", "reason": "Left.", "owner": "nobody@acme.test"})
    assert unknown.status_code == 422
    pat.post(page, {"begin": "1", "reason": "Left.", "owner": cast.bob.email})
    assert set(Agent.objects.values_list("owner__email", flat=True)) == {cast.bob.email}
    assert Entry.objects.filter(verb="agent.handed_over").count() == 2


def test_to_retire_many_keeps_what_was_planned_for_each(pat: Client, cast: Cast) -> None:
    one, other = agents_of(cast, 2)
    heir = make_agent("heir", owner=cast.bob, stage="live")
    plan = Plan(clock.now() + timedelta(days=30), 60, heir, shred_after_days=0)
    plan_retirement(one.name, plan, actor=actor(cast.pat), reason="Old.")
    page = choose(pat, "retire", [one, other])
    pat.post(page, {"begin": "1", "reason": "Now.", "typed": "retire 2", "data": "keep"})
    kept = Retirement.objects.get(agent=one)
    assert (kept.state, kept.successor, kept.data) == ("retired", heir, "shred")
    assert Retirement.objects.get(agent=other).data == "keep"


def test_nought_minutes_and_days_are_what_they_say() -> None:
    plan = plan_of({"drain_minutes": 0, "data": "shred", "shred_after_days": "0"})
    assert (plan.drain_minutes, plan.shred_after_days) == (0, 0)
    assert rule_of({"data": "shred", "shred_after_days": 0}).startswith("destroyed 0 days")


def test_rights_that_were_taken_meanwhile_are_gone(pat: Client, cast: Cast) -> None:
    page = choose(pat, "suspend", agents_of(cast, 60))
    pat.post(page, {"begin": "1", "reason": "Odd.", "typed": "suspend 60"})
    cast.pat.roles = ["employee"]
    cast.pat.save(update_fields=["roles"])
    batches.carry_out_running()
    assert set(BatchItem.objects.values_list("state", flat=True)) == {"refused"}
    assert Agent.objects.filter(suspended_at__isnull=False).count() == 0


def test_every_step_has_a_preview_that_can_be_looked_at(pat: Client, cast: Cast) -> None:
    agents = agents_of(cast, 2)
    for step in STEPS:
        assert pat.get(choose(pat, step, agents)).status_code == 200


@pytest.mark.parametrize("who", ["alice", "sam", "ann"])
def test_batches_are_the_platforms(cast: Cast, who: str) -> None:
    client = Client()
    client.force_login(getattr(cast, who))
    agents = agents_of(cast, 1)
    client.post(LIST, {"action": "bulk_retire", "_selected_action": [agents[0].pk]})
    assert Batch.objects.count() == 0
    with pytest.raises(Exception, match="platform"):
        batches.open_batch("retire", agents, actor=Actor.of(getattr(cast, who)))
