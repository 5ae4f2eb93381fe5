"""Two runs side by side: who may, what is on record of it, and what the page and REST say."""

from __future__ import annotations

import json
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from ledger.models import Entry
from tests.factories import Cast, browser_of, make_agent, make_cast, make_exchange, make_run

HOSTILE = '<script>alert(1)</script>"><img src=x onerror=alert(2)>'


@pytest.fixture
def cast(db: None) -> Cast:
    return make_cast()


@pytest.fixture
def agent(cast: Cast) -> Any:
    return make_agent(owner=cast.alice, backup_owner=cast.bob, stage="live")


def said(text: str) -> bytes:
    return json.dumps({"choices": [{"message": {"role": "assistant", "content": text}}]}).encode()


def asked(text: str) -> bytes:
    return json.dumps({"messages": [{"role": "user", "content": text}]}).encode()


@pytest.fixture
def runs(agent: Any) -> tuple[Any, Any]:
    one, other = make_run(agent, "one"), make_run(agent, "other")
    for run, answers in ((one, ("red", "same")), (other, ("blue", "same"))):
        for number, answer in enumerate(answers):
            told = {"operation": "chat", "model": f"m-{answer}"}
            sentence = f"The house is {answer}, as everybody says who has been there once."
            make_exchange(agent, run, asked(f"what {number}"), said(sentence), **told)
    return one, other


pytestmark = pytest.mark.django_db(transaction=True)


def test_headers_alone_are_compared_before_anything_is_read(cast: Cast, runs: Any) -> None:
    one, other = runs
    page = browser_of(cast.alice).get(f"/runs/{one.run_id}/diff/{other.run_id}/").content.decode()
    assert "m-red" in page
    assert "m-blue" in page
    assert "what was said has not been read" in page
    assert not Entry.objects.filter(kind="access").exists()


def test_what_was_said_is_compared_once_both_readings_are_on_record(cast: Cast, runs: Any) -> None:
    one, other = runs
    address = f"/runs/{one.run_id}/diff/{other.run_id}/"
    page = browser_of(cast.alice).post(address, {"reason": "Check the move"}).content.decode()
    assert '<del class="tone-error tone-text">red</del>' in page
    assert '<ins class="tone-success tone-text">blue</ins>' in page
    readings = [json.loads(bytes(row.header)) for row in Entry.objects.filter(kind="access")]
    assert {one["facts"]["stream"] for one in readings} == {one.run_id, other.run_id}
    assert {one["facts"]["payloads"] for one in readings} == {4}
    assert {one["facts"]["reason"] for one in readings} == {"Check the move"}


def test_a_reading_without_a_reason_reads_nothing(cast: Cast, runs: Any) -> None:
    one, other = runs
    answer = browser_of(cast.alice).post(
        f"/runs/{one.run_id}/diff/{other.run_id}/", {"reason": " "}
    )
    assert answer.status_code == 422
    assert not Entry.objects.filter(kind="access").exists()


@pytest.mark.parametrize(
    ("who", "status"), [("alice", 200), ("bob", 200), ("sam", 200), ("mallory", 404)]
)
def test_it_is_for_those_who_see_both_runs(cast: Cast, runs: Any, who: str, status: int) -> None:
    one, other = runs
    browser = browser_of(getattr(cast, who))
    for address in (f"/runs/{one.run_id}/diff/", f"/runs/{one.run_id}/diff/{other.run_id}/"):
        assert browser.get(address).status_code == status
    refused = browser.post(f"/runs/{one.run_id}/diff/{other.run_id}/", {"reason": "x"})
    assert refused.status_code == status


def test_a_run_of_somebody_else_is_not_read_beside_one_of_mine(cast: Cast, runs: Any) -> None:
    one, _ = runs
    theirs = make_run(make_agent("theirs", owner=cast.bob, backup_owner=cast.sam), "theirs")
    address = f"/runs/{one.run_id}/diff/{theirs.run_id}/"
    assert browser_of(cast.alice).post(address, {"reason": "curious"}).status_code == 404
    assert not Entry.objects.filter(kind="access").exists()


def test_another_run_is_chosen_from_those_of_the_agent_or_named(cast: Cast, runs: Any) -> None:
    one, other = runs
    browser = browser_of(cast.alice)
    assert other.run_id in browser.get(f"/runs/{one.run_id}/diff/").content.decode()
    answer = browser.get(f"/runs/{one.run_id}/diff/", {"with_run": "other"})
    assert answer["Location"].endswith(f"/diff/{other.run_id}/")
    assert f"/runs/{one.run_id}/diff/" in browser.get(f"/runs/{one.run_id}/").content.decode()


def test_nothing_that_was_said_acts_on_the_page(cast: Cast, agent: Any) -> None:
    one, other = make_run(agent, "one"), make_run(agent, "other")
    make_exchange(agent, one, asked("?"), said(HOSTILE), operation="chat")
    make_exchange(agent, other, asked("?"), said("fine"), operation="chat")
    page = (
        browser_of(cast.alice)
        .post(f"/runs/{one.run_id}/diff/{other.run_id}/", {"reason": "look"})
        .content.decode()
    )
    assert "<script>alert" not in page
    assert "<img src=x" not in page


def test_a_price_that_nobody_knows_is_not_shown_as_nothing(cast: Cast, runs: Any) -> None:
    one, other = runs
    browser = browser_of(cast.alice)
    told = browser.get(f"/api/v1/runs/{one.run_id}/diff/{other.run_id}").json()
    assert told["sums"]["cost_micros"] == [None, None]
    page = browser.get(f"/runs/{one.run_id}/diff/{other.run_id}/").content.decode()
    assert page.count('data-label="Cost">unknown<') == 2
    call_command("diff", one.run_id, one.run_id, stdout=(out := StringIO()))
    assert "unknown → unknown micros" in out.getvalue()


def test_rest_says_the_same(cast: Cast, runs: Any) -> None:
    one, other = runs
    browser = browser_of(cast.alice)
    address = f"/api/v1/runs/{one.run_id}/diff/{other.run_id}"
    headers = browser.get(address).json()
    assert headers["steps"] == {"same": 1, "changed": 1, "missing": 0, "added": 0}
    assert {d["what"] for d in headers["pairs"][0]["differences"]} == {"model"}
    whole = browser.post(address, {"reason": "x"}, content_type="application/json").json()
    assert {d["what"] for d in whole["pairs"][0]["differences"]} == {"model", "output"}
    assert browser.post(address, {}, content_type="application/json").status_code in {400, 422}


def test_the_command_says_whether_they_differ(runs: Any) -> None:
    one, other = runs
    out = StringIO()
    call_command("diff", one.run_id, one.run_id, stdout=out)
    assert "2 same, 0 changed" in out.getvalue()
    with pytest.raises(SystemExit) as ended:
        call_command("diff", one.run_id, other.run_id, "--json", stdout=(out := StringIO()))
    assert ended.value.code == 1
    assert json.loads(out.getvalue())["pairs"][0]["differences"][0]["what"] == "output"
    with pytest.raises(CommandError):
        call_command("diff", one.run_id, "run_none")


def test_a_run_that_was_recorded_before_replay_is_incomplete(runs: Any) -> None:
    one, _ = runs
    with pytest.raises(SystemExit) as ended:
        call_command("replay", one.run_id, stdout=(out := StringIO()))
    assert ended.value.code == 2
    assert "not on record" in out.getvalue()
    assert Entry.objects.filter(kind="access").count() == 1


def test_a_golden_run_is_replayed_from_its_file(tmp_path: Any) -> None:
    from routing.gateway.replaying.recorded import dump
    from tests.golden.corpus import golden_runs

    run = dict(golden_runs())["0.1.0/chat-by-messages-stream"]
    (tmp_path / "run.jsonl").write_bytes(dump(run))
    call_command("replay", file=tmp_path / "run.jsonl", stdout=(out := StringIO()))
    assert "identical" in out.getvalue()
