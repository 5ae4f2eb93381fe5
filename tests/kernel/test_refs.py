from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernel import clock, refs
from kernel.errors import Conflict, DomainError, Invalid, Malformed
from kernel.refs import Ref, new_id


def test_ids_are_prefixed_unique_and_ordered_by_time(monkeypatch: pytest.MonkeyPatch) -> None:
    made = [new_id("agt") for _ in range(1000)]
    assert len(set(made)) == 1000
    assert all(re.fullmatch(r"agt_[0-9a-hjkmnp-tv-z]{26}", one) for one in made)
    later = []
    for millis in (1, 10**3, 10**9, 1_795_000_000_000, 1_795_000_000_001):
        monkeypatch.setattr("time.time_ns", lambda millis=millis: millis * 1_000_000)
        later.append(new_id("agt"))
    assert later == sorted(later)


def test_an_id_is_a_uuid_of_version_seven() -> None:
    alphabet = "0123456789abcdefghjkmnpqrstvwxyz"
    number = 0
    for letter in new_id("x").removeprefix("x_"):
        number = number * 32 + alphabet.index(letter)
    assert number.bit_length() <= 128
    assert (number >> 76) & 0xF == 7
    assert (number >> 62) & 0b11 == 0b10


@given(st.text(min_size=1, max_size=20).filter(lambda text: ":" not in text), st.text(min_size=1))
def test_a_reference_is_written_and_read_back(kind: str, ident: str) -> None:
    assert Ref.parse(str(Ref(kind, ident))) == Ref(kind, ident)


@pytest.mark.parametrize("text", ["", "agent", "agent:", ":agt_1", ":"])
def test_half_a_reference_is_none(text: str) -> None:
    with pytest.raises(ValueError, match="not a reference"):
        Ref.parse(text)


def test_an_automation_acts_under_its_name() -> None:
    assert str(refs.system("review-expiry")) == "system:review-expiry"


def test_time_is_read_in_utc_and_stamped_in_one_form() -> None:
    assert clock.now().tzinfo is UTC
    moment = datetime(2026, 11, 21, 10, 30, 0, 42, tzinfo=timezone(timedelta(hours=1)))
    assert clock.stamp(moment) == "2026-11-21T09:30:00.000042Z"


def test_a_refusal_carries_its_words_and_facts() -> None:
    plain, told = Conflict(), Invalid("The name is taken.", name="x")
    assert (plain.detail, plain.facts) == ("The state has changed", {})
    assert (str(told), told.facts, told.status) == ("The name is taken.", {"name": "x"}, 422)
    assert issubclass(Malformed, Invalid)
    assert DomainError("x").status == 500


def test_the_clock_can_be_held_and_is_let_go() -> None:
    moment = datetime(2026, 1, 2, tzinfo=UTC)
    with clock.held_at(moment):
        assert clock.now() == moment
    assert clock.now() > moment
