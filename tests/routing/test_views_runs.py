"""The pages of runs: who sees which, what was said and why it was read, and the proof."""

from __future__ import annotations

import json

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from ledger.models import Entry
from tests.factories import (
    Cast,
    browser_of,
    make_agent,
    make_call,
    make_cast,
    make_exchange,
    make_run,
)

pytestmark = pytest.mark.django_db
HOSTILE = '<script>alert(1)</script>"><img src=x onerror=alert(2)>'


@pytest.fixture
def cast() -> Cast:
    return make_cast()


@pytest.fixture
def agent(cast):
    return make_agent(owner=cast.alice, backup_owner=cast.bob, stage="live")


def run_with(agent, *, calls=2, label="nightly"):
    run = make_run(agent, label)
    for number in range(calls):
        intent = make_exchange(agent, run)
        make_call(agent, run_id=run.run_id, intent_id=intent, duration_ms=20 + number)
    return run


@pytest.mark.parametrize(
    ("who", "status"),
    [("alice", 200), ("bob", 200), ("sam", 200), ("pat", 200), ("ann", 200), ("mallory", 404)],
)
def test_a_run_is_for_those_who_answer_for_its_agent_and_those_who_govern(cast, agent, who, status):
    run = run_with(agent)
    browser = browser_of(getattr(cast, who))
    for page in ("", "calls/", "record/"):
        answer = browser.get(f"/runs/{run.run_id}/{page}")
        assert answer.status_code == status
    assert (run.run_id in browser.get("/runs/").content.decode()) is (status == 200)


@pytest.mark.parametrize("path", ["/runs/", "/runs/run_x/", "/vendors/", "/models/", "/routes/"])
def test_whoever_is_not_signed_in_signs_in_first(db, path):
    answer = browser_of().get(path)
    assert answer.status_code == 302
    assert answer["Location"].startswith("/signin/?next=")


def test_a_run_tells_what_its_calls_came_to(cast, agent):
    run = run_with(agent)
    make_call(
        agent, run_id=run.run_id, status="error", error_code="upstream_500", cost_micros=None,
        reported_model="acme-1-turbo",
    )  # fmt: skip
    page = browser_of(cast.alice).get(f"/runs/{run.run_id}/calls/").content.decode()
    assert "1 failed" in page
    assert "upstream_500" in page
    assert "vendor says acme-1-turbo" in page
    assert "1 call without a known price" in page


def test_what_has_not_come_back_is_shown_in_flight(cast, agent):
    run = make_run(agent)
    make_exchange(agent, run, answered=None)
    page = browser_of(cast.alice).get(f"/runs/{run.run_id}/").content.decode()
    assert "In flight" in page
    assert "no answer is on record yet" in page


def test_text_of_outsiders_stays_text(cast, agent):
    run = make_run(agent, HOSTILE)
    body = json.dumps({"messages": [{"role": "user", "content": HOSTILE}]}).encode()
    intent = make_exchange(agent, run, body, HOSTILE.encode())
    make_call(
        agent, run_id=run.run_id, intent_id=intent, requested_model=HOSTILE,
        reported_model=HOSTILE, error_code=HOSTILE,
    )  # fmt: skip
    alice = browser_of(cast.alice)
    pages = [
        alice.get("/runs/", {"search": HOSTILE}),
        alice.get(f"/runs/{run.run_id}/"),
        alice.get(f"/runs/{run.run_id}/record/"),
        alice.post(f"/runs/{run.run_id}/calls/{intent}/", {"reason": HOSTILE}),
    ]
    for page in pages:
        assert page.status_code == 200
        assert "<script>alert" not in page.content.decode()
        assert "<img src=x" not in page.content.decode()


def test_nothing_is_read_without_a_reason_and_each_reading_is_on_record(cast, agent):
    run = make_run(agent)
    said = json.dumps({"choices": [{"message": {"role": "assistant", "content": "Good day"}}]})
    intent = make_exchange(
        agent, run, b'{"messages":[{"role":"user","content":"Hello"}]}', said.encode()
    )
    url = f"/runs/{run.run_id}/calls/{intent}/"
    sam = browser_of(cast.sam)
    assert "Hello" not in sam.get(url).content.decode()
    assert sam.post(url, {"reason": "  "}).status_code == 422
    assert not Entry.objects.filter(verb="payload.read").exists()
    answer = sam.post(url, {"reason": "case 7"})
    page = answer.content.decode()
    assert "Hello" in page
    assert "Good day" in page
    assert answer["Cache-Control"] == "no-store"
    read = Entry.objects.filter(verb="payload.read")
    assert read.count() == 2
    assert {entry.actor for entry in read} == {str(cast.sam.ref)}
    assert "case 7" in bytes(read[0].header).decode()


def test_a_stream_is_shown_as_it_came_and_put_together(cast, agent):
    run = make_run(agent)
    pieces = [
        b'{"choices":[{"delta":{"content":"Good "}}]}',
        b'{"choices":[{"delta":{"content":"day"}}]}',
    ]
    stream = b"".join(b"data: " + piece + b"\n\n" for piece in (*pieces, b"[DONE]"))
    intent = make_exchange(agent, run, b"{}", stream)
    page = (
        browser_of(cast.alice)
        .post(f"/runs/{run.run_id}/calls/{intent}/", {"reason": "look"})
        .content.decode()
    )
    assert "Good day" in page
    assert "data: [DONE]" in page


def test_another_agents_call_is_not_read_through_ones_own_run(cast, agent):
    mine, theirs = make_run(agent), make_agent("other", owner=cast.mallory, stage="live")
    other = make_run(theirs, "secret")
    intent = make_exchange(theirs, other, b"top secret")
    alice = browser_of(cast.alice)
    for url in (f"/runs/{mine.run_id}/calls/{intent}/", f"/runs/{other.run_id}/calls/{intent}/"):
        assert alice.post(url, {"reason": "curious"}).status_code == 404
    assert not Entry.objects.filter(verb="payload.read").exists()


def test_a_whole_run_is_proven_on_the_spot(cast, agent):
    run = run_with(agent)
    page = browser_of(cast.alice).post(f"/runs/{run.run_id}/verify/").content.decode()
    assert "The record of this run holds" in page
    assert "4 entries in 1 chain" in page


def test_a_run_that_was_tampered_with_is_said_so(cast, agent):
    run = run_with(agent)
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute("DELETE FROM ledger_entry WHERE stream = %s AND seq = 2", [run.run_id])
        cursor.execute("SET LOCAL session_replication_role = origin")
    page = browser_of(cast.alice).post(f"/runs/{run.run_id}/verify/").content.decode()
    assert "does not hold" in page
    assert "entries before it are missing" in page


def test_the_list_is_narrowed_by_words_agent_outcome_model_and_time(cast, agent):
    good, bad = run_with(agent, label="good-one"), make_run(agent, "bad-one")
    make_call(agent, run_id=bad.run_id, status="error", model="acme-1")
    alice = browser_of(cast.alice)

    def listed(**asked):
        page = alice.get("/runs/", asked).content.decode()
        return [run.label for run in (good, bad) if f"/runs/{run.run_id}/" in page]

    assert listed() == ["good-one", "bad-one"]
    assert listed(search="bad") == ["bad-one"]
    assert listed(search=good.run_id) == ["good-one"]
    assert listed(search=agent.name) == ["good-one", "bad-one"]
    assert listed(outcome="failed") == ["bad-one"]
    assert listed(outcome="clean") == ["good-one"]
    assert listed(outcome="denied") == []
    assert listed(period="1", agent=agent.name) == ["good-one", "bad-one"]
    assert listed(search="nothing like it") == []
    assert alice.get("/runs/", {"search": "\x00", "cursor": "junk"}).status_code == 200
    assert browser_of(cast.mallory).get("/runs/", {"agent": agent.name}).status_code == 404


def test_a_long_run_is_shown_a_page_at_a_time(cast, agent):
    run = make_run(agent)
    for _ in range(60):
        make_call(agent, run_id=run.run_id)
    page = browser_of(cast.alice).get(f"/runs/{run.run_id}/calls/").content.decode()
    assert page.count('id="call-ent_') == 50
    assert 'rel="next"' in page


@pytest.mark.parametrize(
    "path", ["/runs/", "/runs/{run}/", "/runs/{run}/calls/", "/runs/{run}/record/"]
)
def test_the_number_of_queries_does_not_grow(cast, agent, path):
    run = run_with(agent, calls=3)
    url, alice = path.format(run=run.run_id), browser_of(cast.alice)
    alice.get(url)
    with CaptureQueriesContext(connection) as few:
        alice.get(url)
    for number in range(25):
        run_with(agent, calls=1, label=f"more-{number}")
        intent = make_exchange(agent, run)
        make_call(agent, run_id=run.run_id, intent_id=intent)
    with CaptureQueriesContext(connection) as many:
        alice.get(url)
    assert len(many) == len(few)


def test_attempts_of_a_call_stand_together_and_say_why(cast, agent):
    run = make_run(agent)
    first = make_call(agent, run_id=run.run_id, status="error", http_status=429, model="tired-1")
    given = {"run_id": run.run_id, "call_id": first.intent_id}
    make_call(agent, run_id=run.run_id, model="between-1")
    make_call(agent, attempt=2, fallback_reason="http_429", usage_estimated=True, **given)
    make_call(agent, attempt=0, is_shadow=True, model="shadow-1", **given)
    page = browser_of(cast.alice).get(f"/runs/{run.run_id}/calls/").content.decode()
    assert "attempt 2, after the vendor&#x27;s limit (HTTP 429)" in page
    assert "shadow: its answer went nowhere" in page
    assert "1 further attempt, 1 shadow" in page
    assert "All answered" in page
    assert "estimated" in page
    table = page[page.index("<tbody>", page.index("Calls of this run in the order")) :]
    assert table.index("shadow-1") < table.index("between-1")


def test_what_the_record_says_of_an_attempt_is_said_in_words(cast, agent):
    run = make_run(agent)
    intent = make_exchange(
        agent, run, passed_over=["acme/x-1: breaker_open"], params_dropped=["seed"],
        translated="openai->anthropic",
    )  # fmt: skip
    make_call(agent, run_id=run.run_id, intent_id=intent, choice="canary")
    page = browser_of(cast.alice).get(f"/runs/{run.run_id}/").content.decode()
    for words in (
        "first as a canary",
        "passed over: acme/x-1: breaker_open",
        "left out: seed",
        "translated openai to anthropic",
    ):
        assert words in page


def test_a_run_whose_call_fell_back_and_was_served_is_no_run_with_a_failed_call(cast, agent):
    served, failed = make_run(agent, "served"), make_run(agent, "failed")
    for run, status in ((served, "ok"), (failed, "error")):
        first = make_call(agent, run_id=run.run_id, status="error")
        make_call(agent, run_id=run.run_id, call_id=first.intent_id, attempt=2, status=status)
    sam = browser_of(cast.sam)
    assert served.run_id not in sam.get("/runs/?outcome=failed").content.decode()
    assert failed.run_id in sam.get("/runs/?outcome=failed").content.decode()
    assert served.run_id in sam.get("/runs/?outcome=clean").content.decode()
