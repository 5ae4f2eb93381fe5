"""The rules without rows: damping, schedules over daylight saving, calls against their habit."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fleet.health.damping import RANKS, RULES, settle, worst_of
from fleet.health.errors import ScheduleInvalid
from fleet.health.probing.challenge import Challenge, answer
from fleet.health.probing.client import Answered
from fleet.health.probing.judging import judge
from fleet.health.schedules import check_schedule, late_at, next_expected
from fleet.health.usual import Recent, say

BERLIN = "Europe/Berlin"
ZONES = [BERLIN, "America/New_York", "Australia/Lord_Howe", "Africa/Casablanca", "UTC",
         "America/St_Johns", "Asia/Kathmandu"]  # fmt: skip
CRONS = ["0 6 * * *", "30 2 * * *", "*/5 * * * *", "0 * * * *", "15 1 * * 0", "59 23 31 * *",
         "30 1,2,3 * * *", "0 0 29 2 *"]  # fmt: skip


def run(outcomes: str, source: str = "probe") -> list[str]:
    words = {"h": "healthy", "g": "degraded", "d": "down", "u": "unknown"}
    status, recent, said = "unknown", "", []
    for letter in outcomes:
        settled = settle(status, recent, words[letter], RULES[source])
        status, recent = settled.status, settled.recent
        said.append(status)
    return said


def test_one_bad_outcome_changes_nothing_and_two_of_three_do() -> None:
    assert run("hhhdhhh")[-1] == "healthy"
    assert run("hhhdhd")[-1] == "down"


def test_what_flaps_changes_once_and_stays_worse() -> None:
    said = run("h" + "dh" * 50)
    assert [after for before, after in pairwise(said) if before != after] == ["down"]


def test_it_is_well_again_after_enough_in_a_row() -> None:
    assert run("hdd")[-1] == "down"
    assert run("hddh")[-1] == "down"
    assert run("hddhh")[-1] == "healthy"


@given(st.text("hgdu", min_size=1, max_size=60), st.sampled_from(sorted(RULES)))
def test_a_status_is_always_one_that_was_seen_lately(outcomes: str, source: str) -> None:
    words = {"h": "healthy", "g": "degraded", "d": "down", "u": "unknown"}
    assert run(outcomes, source)[-1] in {words[each] for each in outcomes} | {"unknown"}


def test_the_worst_that_is_known_counts_and_unknown_only_alone() -> None:
    assert worst_of(["healthy", "unknown"]) == "healthy"
    assert worst_of(["healthy", "down", "degraded"]) == "down"
    assert worst_of(["unknown"]) == worst_of([]) == "unknown"
    assert sorted(RANKS, key=RANKS.__getitem__) == ["healthy", "unknown", "degraded", "down"]


@given(
    cron=st.sampled_from(CRONS), zone=st.sampled_from(ZONES),
    after=st.integers(1_704_000_000, 1_900_000_000),
)  # fmt: skip
@settings(max_examples=150)
def test_what_is_expected_lies_ahead_and_goes_on(cron: str, zone: str, after: int) -> None:
    start = datetime.fromtimestamp(after, UTC)
    first = next_expected(cron, zone, start)
    second = next_expected(cron, zone, first)
    assert start < first < second
    assert first.tzinfo is UTC
    assert late_at(start, interval=0, grace=600, cron=cron, zone=zone) > start


def test_what_the_skipped_hour_holds_is_expected_once_right_after_it() -> None:
    before = datetime(2026, 3, 28, 12, tzinfo=UTC)
    first = next_expected("30 2 * * *", BERLIN, before)
    second = next_expected("30 2 * * *", BERLIN, first)
    assert first.astimezone(ZoneInfo(BERLIN)).date().isoformat() == "2026-03-29"
    assert second.astimezone(ZoneInfo(BERLIN)).date().isoformat() == "2026-03-30"


def test_what_the_doubled_hour_holds_is_expected_once() -> None:
    moment, days = datetime(2026, 10, 24, 12, tzinfo=UTC), []
    for _ in range(3):
        moment = next_expected("30 2 * * *", BERLIN, moment)
        days.append(moment.astimezone(ZoneInfo(BERLIN)).date().isoformat())
    assert days == ["2026-10-25", "2026-10-26", "2026-10-27"]


def test_a_heartbeat_a_little_early_is_the_one_that_was_expected() -> None:
    early = datetime(2026, 6, 1, 5, 59, 58, tzinfo=UTC)
    late = late_at(early, interval=0, grace=600, cron="0 6 * * *", zone="UTC")
    assert late == datetime(2026, 6, 2, 6, 10, tzinfo=UTC)


@pytest.mark.parametrize(
    ("cron", "zone"),
    [("* * * *", "UTC"), ("0 0 30 2 *", "UTC"), ("0 6 * * *", "Mars/Olympus"), ("x y z a b", "UTC"),
     ("* * * * * *", "UTC"), ("0 6 * * *", "../../etc/passwd"), ("0" * 200, "UTC"),
     ("0 6 * * *", "")],
)  # fmt: skip
def test_a_schedule_that_cannot_be_is_refused(cron: str, zone: str) -> None:
    with pytest.raises(ScheduleInvalid):
        check_schedule(cron, zone)


def calls(made: int, failed: int, **over: object) -> Recent:
    given: dict[str, object] = {
        "usual_share": 0.01, "usual_calls": 0.0, "silent_calls": made, "worst_vendor": "openai",
        "worst_errors": failed,
    }  # fmt: skip
    return Recent(made, failed, **given | over)  # type: ignore[arg-type]


def test_calls_are_held_against_the_agents_own_habit() -> None:
    assert say(calls(100, 1)).seen == "healthy"
    assert say(calls(100, 15)).seen == "degraded"
    assert say(calls(100, 15, usual_share=0.12)).seen == "healthy"
    assert say(calls(100, 80)).seen == "down"
    assert say(calls(100, 80)).cause == "vendor:openai"
    assert say(calls(100, 80, worst_errors=40)).cause == ""
    assert say(calls(2, 2)).seen == ""


def test_an_outage_that_has_become_the_habit_is_still_one() -> None:
    assert say(calls(200, 200, usual_share=1.0)).seen == "down"
    assert say(calls(100, 95, usual_share=0.8)).seen == "down"
    assert say(calls(100, 60, usual_share=0.6)).seen == "degraded"
    assert say(calls(100, 30, usual_share=0.3)).seen == "healthy"


def test_silence_counts_only_where_calls_are_usual() -> None:
    assert say(calls(0, 0, usual_calls=40.0)).seen == "degraded"
    assert say(calls(0, 0, usual_calls=3.0)).seen == ""


NONCE = Challenge("invoice-sorter", "abc", "")
SIGNED = Challenge("invoice-sorter", "abc", "ups_secret")


def answered(body: object, status: int = 200, **headers: str) -> Answered:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Answered(status, {name.replace("_", "-"): value for name, value in headers.items()}, raw)


def test_a_parked_page_is_not_healthy() -> None:
    parked = answered(b"<html>Buy this domain</html>")
    assert judge("http", parked, NONCE, was_proven=False).seen == "unknown"
    assert judge("http", parked, NONCE, was_proven=True).seen == "down"


def test_only_the_right_answer_to_this_challenge_proves_the_agent() -> None:
    right = answer("ups_secret", "invoice-sorter", "abc")
    assert judge("http", answered({}, unsprawl_proof=right), SIGNED, was_proven=False).is_proven
    for wrong in (
        answer("ups_secret", "another", "abc"), answer("ups_secret", "invoice-sorter", "abd"),
        answer("other", "invoice-sorter", "abc"), NONCE.echo, "", "v1=", "x" * 5000, "v1=é",
    ):  # fmt: skip
        said = answered({}, unsprawl_proof=wrong)
        assert not judge("http", said, SIGNED, was_proven=False).is_proven
    assert judge("http", answered({"proof": NONCE.echo}), NONCE, was_proven=False).seen == "healthy"


def test_an_answer_says_how_the_agent_is() -> None:
    said = answered({"proof": NONCE.echo, "status": "degraded"})
    assert judge("http", said, NONCE, was_proven=True).seen == "degraded"
    for status, seen in ((302, "down"), (503, "down"), (429, "degraded")):
        assert judge("http", answered({}, status), NONCE, was_proven=True).seen == seen


def test_a_card_must_be_one_and_be_the_agents() -> None:
    card = {"name": "invoice-sorter", "version": "1", "capabilities": {}}
    assert judge("a2a-card", answered(card), NONCE, was_proven=False).seen == "healthy"
    assert judge("a2a-card", answered(card), SIGNED, was_proven=False).seen == "unknown"
    assert judge("a2a-card", answered(b"[" * 5000), NONCE, was_proven=False).seen == "down"
    other = card | {"name": "parked"}
    assert judge("a2a-card", answered(other), NONCE, was_proven=True).seen == "down"


def test_nothing_that_was_answered_stands_in_a_reason() -> None:
    said = judge("http", answered(b"<script>secret", 500), NONCE, was_proven=False)
    assert "secret" not in said.reason
    assert timedelta(0) == timedelta(seconds=Answered().seconds)
