"""What was found, in words."""

from __future__ import annotations

from routing.views.found_words import found_words


def test_kinds_and_numbers_are_said_and_nothing_else() -> None:
    facts = {
        "found_in_request": ["card:2:redact", "email:1:allow", "staff_no:3:block"],
        "found_in_response": ["iban:1:redact"],
        "secrets_removed": 1,
    }
    assert list(found_words(facts)) == [
        "2 cards in the call redacted",
        "1 e-mail address in the call let through",
        "3 staff_no in the call blocked",
        "1 IBAN in the answer redacted",
        "1 secret left out of the record",
    ]


def test_odd_facts_say_nothing() -> None:
    assert list(found_words({"found_in_request": "card", "secrets_removed": "1"})) == []
    assert list(found_words({"found_in_request": ["card"]})) == []
