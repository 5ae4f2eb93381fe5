"""What detectors find in a text, and what they leave alone."""

from __future__ import annotations

import pytest

from routing.gateway.detectors.custom import PatternUnusable, pattern_detector
from routing.gateway.detectors.document import screened_text
from routing.gateway.detectors.rules import KINDS, REDACT, Rules, Tally, rules_for
from routing.gateway.detectors.text import Blocked
from tests.routing.gateway.detectors.samples import CLEAN, FOUND

ALL = rules_for(tuple((kind, REDACT) for kind in KINDS))
EVERY = [(kind, text) for kind, texts in FOUND.items() for text in texts]


def screened(text: str, rules: Rules = ALL) -> tuple[str, dict[str, int]]:
    tally = Tally()
    made = screened_text(text.encode(), rules, tally)
    return made.decode(), dict(tally.found)


@pytest.mark.parametrize(("kind", "text"), EVERY)
def test_it_is_found_alone_and_among_words(kind: str, text: str) -> None:
    assert screened(text) == (screened(text)[0], {kind: 1})
    made, found = screened(f"Please use {text}, thank you.")
    assert found == {kind: 1}
    assert made.endswith(f"[redacted: {kind}], thank you.")


@pytest.mark.parametrize(("kind", "text"), EVERY)
def test_it_is_found_by_its_own_kind_alone(kind: str, text: str) -> None:
    assert screened(f"({text})", rules_for(((kind, REDACT),)))[1] == {kind: 1}


@pytest.mark.parametrize(
    ("kind", "text"),
    [each for each in EVERY if each[0] in {"card", "iban", "national_id"} and ":" not in each[1]],
)
def test_one_digit_more_or_a_letter_before_it_is_another_number(kind: str, text: str) -> None:
    assert kind not in screened(f"{text}7")[1]
    assert kind not in screened(f"x{text}")[1]


@pytest.mark.parametrize("text", CLEAN)
def test_what_only_looks_so_is_left_alone(text: str) -> None:
    assert screened(text) == (text, {})


def test_numbers_lose_their_kind_with_their_check_digit() -> None:
    for text in (
        "4111111111111112", "DE90370400440532013000", "86095742718", "44051401358",
        "12345678A", "RSSMRA85T10A562T", "85.07.30-033.29", "756.9217.0769.84",
    ):  # fmt: skip
        assert screened(text) == (text, {})


def test_several_are_found_in_one_text_and_where_they_overlap_they_are_one() -> None:
    text = "4111 1111 1111 1111 or a@b.io, token=" + FOUND["secret"][0]
    assert screened(text) == (
        "[redacted: card] or [redacted: email], token=[redacted: secret]",
        {"card": 1, "email": 1, "secret": 1},
    )


def test_allowed_kinds_are_counted_and_stay() -> None:
    rules = rules_for((("card", "allow"), ("email", "redact")))
    assert screened("4111111111111111 a@b.io", rules) == (
        "4111111111111111 [redacted: email]", {"card": 1, "email": 1},
    )  # fmt: skip


def test_blocked_kinds_end_it() -> None:
    with pytest.raises(Blocked, match="card"):
        screened("4111111111111111", rules_for((("card", "block"),)))


def test_a_pattern_of_ones_own_is_found_within_its_borders() -> None:
    rules = Rules({"staff_no": REDACT}, [pattern_detector("staff_no", r"E[0-9]{6}", "", 7)])
    assert screened("E123456, XE123456, E1234567", rules)[0] == (
        "[redacted: staff_no], XE123456, E1234567"
    )


def test_a_pattern_may_ask_for_check_digits() -> None:
    rules = Rules({"loyalty": REDACT}, [pattern_detector("loyalty", r"[0-9]{10}", "luhn", 10)])
    assert screened("1234567897 1234567890", rules)[0] == "[redacted: loyalty] 1234567890"


@pytest.mark.parametrize(
    ("pattern", "check", "longest"),
    [("(", "", 9), ("", "", 9), ("a*", "", 9), (r"(a)\1", "", 9), ("(?=a)", "", 9), ("a", "crc", 9),
     ("a", "", 0), ("a", "", 10_000), ("a" * 501, "", 9), ("(?P<x>a)", "", 9)],
)  # fmt: skip
def test_a_pattern_that_cannot_be_used_is_refused(pattern: str, check: str, longest: int) -> None:
    with pytest.raises(PatternUnusable):
        pattern_detector("mine", pattern, check, longest)


def test_a_pattern_that_hangs_other_engines_takes_its_time_here() -> None:
    rules = Rules({"evil": REDACT}, [pattern_detector("evil", r"(a+)+(a|aa)+!", "", 64)])
    assert screened("a" * 100_000, rules)[1] == {}
