from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import connection

from kernel import clock
from ledger.errors import AgeTooShort, MonthKept, PayloadAbsent
from ledger.models import DataKey, DroppedMonth, Entry, RetentionAge
from ledger.payloads import read_payload
from ledger.queries import entry_for
from ledger.retention import ages, legal_holds, months
from ledger.retention.legal_holds import Covers
from ledger.verification import verify_all
from tests.ledger.conftest import Tamperer
from tests.ledger.retention.scenes import SECURITY, say

CLASSES = ("internal", "personal")


def of(name: str) -> ages.ClassAge:
    return next(age for age in ages.ages(CLASSES) if age.data_class == name)


def test_nothing_ends_until_somebody_says_when(db: None, aged: Callable[..., None]) -> None:
    say()
    aged(4000)
    assert ages.expire_keys(actor=SECURITY) == []
    assert (of("internal").days, of("internal").due) == (None, 0)


def test_a_first_age_takes_effect_after_seven_days(db: None) -> None:
    row = ages.set_age("internal", 200, actor=SECURITY, reason="the policy")
    assert row.effective_at - row.set_at == timedelta(days=7)
    shown = of("internal")
    assert (shown.days, shown.next_days, shown.next_at) == (None, 200, row.effective_at)
    entry = entry_for(row.entry)
    assert (entry.verb, entry.facts["days"], entry.facts["reason"]) == (
        "retention.set", 200, "the policy",
    )  # fmt: skip


def test_a_longer_age_holds_at_once(db: None, in_force: Callable[..., None]) -> None:
    in_force("internal", 200)
    ages.set_age("internal", 400, actor=SECURITY, reason="x")
    assert of("internal").days == 400
    ages.set_age("internal", None, actor=SECURITY, reason="x")
    assert of("internal").days is None


@pytest.mark.parametrize("days", [0, 1, 183, 36_501])
def test_no_age_is_below_the_floor(db: None, days: int) -> None:
    with pytest.raises(AgeTooShort, match="184"):
        ages.set_age("internal", days, actor=SECURITY, reason="x")
    assert not RetentionAge.objects.exists()


def test_the_floor_rises_and_never_falls(db: None, in_force: Callable[..., None]) -> None:
    in_force("", 200)
    assert ages.raise_floor(365)
    assert not ages.raise_floor(300)
    assert ages.floor_days() == 365
    assert of("internal").days == 365
    with pytest.raises(AgeTooShort, match="365"):
        ages.set_age("internal", 364, actor=SECURITY, reason="x")


def test_each_class_ends_at_its_own_age(
    db: None, aged: Callable[..., None], in_force: Callable[..., None]
) -> None:
    say(b"work")
    say(b"somebody", data_class="personal")
    aged(300)
    in_force("personal", 200)
    in_force("", 400)
    assert (of("personal").due, of("internal").due) == (1, 0)
    (done,) = ages.expire_keys(actor=SECURITY)
    assert ages.expire_keys(actor=SECURITY) == []
    assert DataKey.objects.get(state="shredded").data_class == "personal"
    entry = entry_for(done.entry_id)
    assert (entry.subject, entry.facts["why"]) == ("retention:personal", "age")


def test_what_is_held_outlives_its_age_and_hides_nothing_behind_it(
    db: None, aged: Callable[..., None], in_force: Callable[..., None]
) -> None:
    say(agent="agt_two", stream="run_b")
    say()
    aged(400)
    in_force("", 200)
    legal_holds.place(Covers("agent", "agt_two"), actor=SECURITY, reason="case 7")
    ages.expire_keys(actor=SECURITY)
    assert DataKey.objects.get(state="active").scope == "agt_two"


def test_a_month_goes_when_every_key_of_it_is_destroyed(
    db: None, aged: Callable[..., None], in_force: Callable[..., None], tamperer: Tamperer
) -> None:
    said = say()
    month = _move_to_the_past(tamperer, said.entry_id)
    aged(400)
    kept = next(each for each in months.months() if each.name == month)
    assert (kept.alive, kept.is_due) == (1, False)
    with pytest.raises(MonthKept):
        months.drop_month(month, actor=SECURITY)
    assert months.drop_due_months(actor=SECURITY) == []
    in_force("", 200)
    ages.expire_keys(actor=SECURITY)
    assert months.drop_due_months(actor=SECURITY) == [month]
    assert months.drop_due_months(actor=SECURITY) == []
    dropped = DroppedMonth.objects.get()
    facts = entry_for(dropped.entry).facts
    assert (facts["payloads"], facts["floor"]) == (1, 184)
    assert str(facts["from"]) == f"{month}-01T00:00:00Z"
    assert next(each for each in months.months() if each.name == month).payloads == 1
    with pytest.raises(PayloadAbsent):
        read_payload(said.entry_id, actor=SECURITY, reason="x")


def test_a_month_within_the_floor_stays_though_nothing_of_it_can_be_read(
    db: None, aged: Callable[..., None]
) -> None:
    months.keep_months_ahead()
    this = f"{clock.now():%Y-%m}"
    with pytest.raises(MonthKept):
        months.drop_month(this, actor=SECURITY)
    assert next(each for each in months.months() if each.name == this).alive == 0


def test_dropping_leaves_headers_and_chains_valid(
    db: None, aged: Callable[..., None], in_force: Callable[..., None], tamperer: Tamperer
) -> None:
    say(b"kept", agent="agt_two", stream="run_b")
    said = say()
    with connection.cursor() as cursor:
        cursor.execute("SELECT ledger_ensure_partitions(1)")
    assert Entry.objects.filter(entry_id=said.entry_id).exists()
    assert verify_all().is_valid


def test_missing_months_and_stray_payloads_are_said(db: None, tamperer: Tamperer) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT relname FROM pg_class WHERE relname ~ '^ledger_payload_[0-9]' AND relkind='r'"
        )
        for (name,) in cursor.fetchall():
            cursor.execute(f"DROP TABLE {name}")
    assert months.trouble().missing
    say()
    assert len(months.trouble().sentences) == 2
    assert months.keep_months_ahead() == 12
    assert not months.trouble().missing


def _move_to_the_past(tamperer: Tamperer, entry_id: str) -> str:
    month = (clock.now() - timedelta(days=400)).strftime("%Y-%m")
    part = f"ledger_payload_{month.replace('-', '_')}"
    tamperer.execute(
        f"CREATE TABLE {part} PARTITION OF ledger_payload FOR VALUES FROM ('{month}-01 00:00+00')"
        f" TO (('{month}-01'::date + interval '1 month')::timestamp AT TIME ZONE 'UTC')"
    )
    tamperer.execute(
        f"UPDATE ledger_payload SET recorded_at = '{month}-02 00:00+00' WHERE entry_id = %s",
        [entry_id],
    )
    return month
