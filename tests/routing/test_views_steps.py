"""The waterfall of a run: what began each step, what is part of what, and how much is shown."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from kernel import clock
from kernel.refs import Ref
from ledger.record import record
from ledger.verbs import Verb
from routing.models import RunLink
from routing.views.step_words import Step
from routing.views.waterfall import waterfall
from tests.factories import (
    browser_of,
    make_agent,
    make_call,
    make_cast,
    make_exchange,
    make_run,
)

pytestmark = pytest.mark.django_db
NOW = clock.now()


@pytest.fixture
def cast():
    return make_cast()


@pytest.fixture
def agent(cast):
    return make_agent("sorter", owner=cast.alice, stage="live")


@pytest.fixture
def run(agent):
    return make_run(agent)


def called(agent, run, *, facts=None, **over):
    """Put a call of a run on the record, with its row."""
    intent = make_exchange(agent, run, **(facts or {}))
    return make_call(agent, run_id=run.run_id, intent_id=intent, **over)


def reported(agent, run, type="tool", name="lookup", **facts):
    said = {"reported": True, "type": type, "name": name, "source": "api", "key": name, **facts}
    verb = {"tool": Verb.TOOL_REPORTED, "model": Verb.MODEL_CALL_REPORTED}.get(
        type, Verb.STEP_REPORTED
    )
    with transaction.atomic():
        return record(
            verb, agent.ref, actor=agent.ref, kind="report", facts=said,
            agent_id=agent.public_id, stream=run.run_id,
        )  # fmt: skip


def denied(agent, run, rule="data.too_private"):
    with transaction.atomic():
        record(
            Verb.CALL_DENIED, Ref("route", "rte_x"), actor=agent.ref, kind="decision",
            facts={"rule": rule, "answer": "deny", "route": "sandbox"},
            agent_id=agent.public_id, stream=run.run_id,
        )  # fmt: skip


def seen(person, run, query=""):
    answer = browser_of(person).get(f"/runs/{run.run_id}/{query}")
    assert answer.status_code == 200
    return answer.content.decode()


def titles(page):
    return re.findall(r'step-depth-(\d)">.*?step-title">([^<]*)<', page, flags=re.S)


def test_every_kind_of_step_is_shown_in_the_order_of_its_time(cast, agent, run):
    called(agent, run, facts={"model": "acme-1"})
    reported(agent, run, name="lookup_invoice", status="ok", duration_ms=40)
    denied(agent, run)
    child = make_run(make_agent("helper", owner=cast.alice, stage="live"), "part")
    RunLink.objects.create(
        child_run=child.run_id, parent_run=run.run_id, child_agent="x", parent_agent="y",
        linked_at=clock.now(),
    )  # fmt: skip
    with transaction.atomic():
        for kind, verb in (("proposal", Verb.REVIEW_OPENED), ("effect", Verb.AGENT_CHANGED)):
            record(
                verb, agent.ref, actor=agent.ref, kind=kind, agent_id=agent.public_id,
                stream=run.run_id,
            )  # fmt: skip
    page = seen(cast.alice, run)
    shown = [title for _, title in titles(page)]
    assert shown == [
        "acme-1", "lookup_invoice", "Denied by policy", "helper", "Review opened", "Agent changed",
    ]  # fmt: skip
    assert "reported by the agent" in page
    assert "rule: data.too_private" in page
    assert f"/runs/{child.run_id}/" in page


def test_deterministic_steps_are_counted_beside_those_of_models(cast, agent, run):
    called(agent, run)
    reported(agent, run)
    denied(agent, run)
    reported(agent, run, type="human", name="Somebody looked")
    page = seen(cast.alice, run)
    assert "2 of 3" in page
    assert "66.7%" in page


def test_a_reach_for_a_route_outside_the_manifest_says_so(cast, agent, run):
    denied(agent, run, rule="route_not_declared")
    ((_, title),) = titles(seen(cast.alice, run))
    assert title == "Denied: the manifest does not name this route"


def test_what_is_part_of_something_stands_under_it(cast, agent, run):
    reported(agent, run, type="step", name="plan", span_id="aaaa")
    reported(agent, run, name="search", span_id="bbbb", parent="aaaa")
    called(agent, run, caller_span="4bf9-bbbb", facts={"model": "inner-1"})
    called(agent, run, facts={"model": "outer-1"})
    shown = titles(seen(cast.alice, run))
    assert shown == [("0", "plan"), ("1", "search"), ("2", "inner-1"), ("0", "outer-1")]


def test_steps_that_are_part_of_each_other_are_shown_all_the_same(cast, agent, run):
    reported(agent, run, type="step", name="one", span_id="aaaa", parent="bbbb")
    reported(agent, run, type="step", name="two", span_id="bbbb", parent="aaaa")
    assert {title for _, title in titles(seen(cast.alice, run))} == {"one", "two"}


def test_a_report_of_a_call_that_was_observed_stands_with_it(cast, agent, run):
    call = called(agent, run, facts={"model": "acme-1"})
    reported(agent, run, type="model", name="chat", observed=call.intent_id)
    page = seen(cast.alice, run)
    assert titles(page) == [("0", "acme-1")]
    assert "the agent reports it too" in page
    assert "0 of 1" in page


def test_attempts_stand_under_the_first(cast, agent, run):
    first = called(agent, run, facts={"model": "tired-1"}, status="error", error_code="http_429")
    called(
        agent, run, facts={"model": "fresh-1", "call": first.intent_id, "attempt": 2},
        call_id=first.intent_id, attempt=2, fallback_reason="http_429",
    )  # fmt: skip
    page = seen(cast.alice, run)
    assert titles(page) == [("0", "tired-1"), ("1", "fresh-1")]
    assert "after the vendor&#x27;s limit (HTTP 429)" in page
    assert "error: http_429" in page


def test_many_steps_alike_are_folded_and_all_of_them_are_there(cast, agent, run):
    for _ in range(20):
        called(agent, run, facts={"model": "acme-1"})
    page = seen(cast.alice, run)
    assert "20 alike" in page
    assert page.count('class="step"') == 20


def test_two_thousand_steps_come_a_page_at_a_time_and_each_once(cast, agent, run):
    for number in range(230):
        reported(agent, run, name=f"tool-{number}")
    shown: list[str] = []
    query: str | None = ""
    while query is not None:
        page = seen(cast.alice, run, query)
        shown += [title for _, title in titles(page)]
        found = re.search(r'rel="next" href="([^"]+)"', page)
        query = found[1].replace("&amp;", "&") if found else None
    assert sorted(shown) == sorted(f"tool-{number}" for number in range(230))


def test_steps_are_narrowed_to_a_kind(cast, agent, run):
    called(agent, run, facts={"model": "acme-1"})
    reported(agent, run)
    denied(agent, run)
    for kind, wanted in (("tool", "lookup"), ("model", "acme-1"), ("decision", "Denied by policy")):
        assert [title for _, title in titles(seen(cast.alice, run, f"?kind={kind}"))] == [wanted]
    assert "No such step" in seen(cast.alice, run, "?kind=action")


def test_the_page_asks_again_only_while_something_may_come(cast, agent):
    old = clock.now() - timedelta(hours=1)
    with clock.held_at(old):
        over = make_run(agent, "over", started_at=old)
        make_exchange(agent, over)
    under_way = make_run(agent, "under way")
    make_exchange(agent, under_way, answered=None)
    assert 'hx-trigger="every 3s"' in seen(cast.alice, under_way)
    assert "hx-trigger" not in seen(cast.alice, over)


def test_a_run_that_delegated_is_over_when_all_is_quiet(cast, agent):
    old = clock.now() - timedelta(hours=1)
    with clock.held_at(old), transaction.atomic():
        run = make_run(agent, "gave", started_at=old)
        record(
            Verb.DELEGATION_GIVEN, Ref("delegation", "dlg_x"), actor=agent.ref,
            agent_id=agent.public_id, stream=run.run_id,
        )  # fmt: skip
    page = seen(cast.alice, run)
    assert "Let another agent act for it" in page
    assert "hx-trigger" not in page
    listed = browser_of(cast.alice).get("/runs/?state=over").content.decode()
    assert run.run_id in listed


def test_a_teammate_sees_the_course_of_a_run_and_not_what_was_said(cast, agent, run):
    intent = make_exchange(agent, run, b"a secret plan")
    page = seen(cast.bob, run)
    assert "Read what was said" not in page
    assert "Read what was said" in seen(cast.alice, run)
    bob = browser_of(cast.bob)
    answer = bob.post(f"/runs/{run.run_id}/calls/{intent}/", {"reason": "curious"})
    assert answer.status_code == 404
    assert browser_of(cast.mallory).get(f"/runs/{run.run_id}/").status_code == 404


def test_an_entry_that_was_altered_is_said_so(cast, agent, run):
    called(agent, run)
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute("UPDATE ledger_entry SET header = 'x' WHERE kind = 'intent'")
        cursor.execute("SET LOCAL session_replication_role = origin")
    assert "This entry is not what was recorded" in seen(cast.alice, run)


def test_the_number_of_queries_does_not_grow_with_children(cast, agent, run):
    def link():
        child = make_run(agent, f"part-{RunLink.objects.count()}")
        make_exchange(agent, child)
        RunLink.objects.create(
            child_run=child.run_id, parent_run=run.run_id, child_agent="x", parent_agent="y",
            linked_at=clock.now(),
        )  # fmt: skip

    make_exchange(agent, run)
    link()
    with CaptureQueriesContext(connection) as few:
        seen(cast.alice, run)
    for _ in range(5):
        link()
    with CaptureQueriesContext(connection) as many:
        seen(cast.alice, run)
    assert len(many) == len(few)


def test_idle_times_are_shortened_where_they_leave_nothing_to_see():
    def at(seconds, length):
        starts = NOW + timedelta(seconds=seconds)
        return Step(f"s{seconds}", "tool", "t", "ok", starts, starts + timedelta(seconds=length))

    drawn = waterfall([at(0, 1), at(3600, 1), at(7200, 2)])
    assert drawn.is_shortened
    assert drawn.marks == []
    widths = [group.first.width for group in drawn.groups]
    assert widths[2] > 30
    near = waterfall([at(0, 1), at(1, 1)])
    assert not near.is_shortened
    assert near.marks[-1] == (100, 2000.0)
