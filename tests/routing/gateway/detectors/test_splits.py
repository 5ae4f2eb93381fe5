"""Texts in pieces: whatever the pieces are, what comes out is what the whole comes to."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from routing.gateway.detectors.arguments import Arguments
from routing.gateway.detectors.custom import pattern_detector
from routing.gateway.detectors.document import screened_document, screened_text
from routing.gateway.detectors.rules import BUILT_IN, KINDS, REDACT, Rules, Tally, rules_for
from routing.gateway.detectors.secrets import LONGEST
from routing.gateway.detectors.text import Passage
from tests.routing.gateway.detectors.samples import CLEAN, FOUND, KEY_BLOCK, TOKEN

RULES = rules_for(tuple((kind, REDACT) for kind in KINDS))
PIECES = st.sampled_from(
    [*(text for texts in FOUND.values() for text in texts), *CLEAN, " ", "  ", "\n", ".", ",", "-",
     "_", "é", "日本", "\U0001f600", "sk-", "AKIA", "5", "@", "+", "(", ")", " ", "-----", "BEGIN ",
     "aws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "order ", "12 ", "bsn "]
)  # fmt: skip
TEXTS = st.lists(PIECES, max_size=8).map("".join)


def split(text: str, sizes: list[int]) -> list[str]:
    pieces, at, turn = [], 0, 0
    while at < len(text):
        size = sizes[turn % len(sizes)]
        pieces.append(text[at : at + size])
        at, turn = at + size, turn + 1
    return pieces


def streamed(text: str, sizes: list[int], rules: Rules = RULES) -> tuple[str, Tally]:
    tally = Tally()
    passage = Passage(rules, tally)
    return "".join(
        [passage.take(piece) for piece in split(text, sizes)] + [passage.finish()]
    ), tally


SIZES = st.lists(st.integers(1, 9), min_size=1, max_size=6)


@settings(max_examples=150, deadline=None)
@given(TEXTS, SIZES)
def test_a_text_in_pieces_comes_to_what_the_whole_does(text: str, sizes: list[int]) -> None:
    whole = Tally()
    expected = screened_text(text.encode(), RULES, whole).decode()
    assert streamed(text, sizes) == (expected, whole)


@settings(max_examples=50, deadline=None)
@given(TEXTS, SIZES)
def test_so_it_does_with_a_pattern_of_ones_own(text: str, sizes: list[int]) -> None:
    mine = pattern_detector("mine", r"or[a-z]{2,9} ?[0-9]{2}", "", 16)
    rules = Rules({"mine": REDACT, "card": REDACT}, [*BUILT_IN, mine])
    expected = screened_text(text.encode(), rules, Tally()).decode()
    assert streamed(text, sizes, rules)[0] == expected


@settings(max_examples=100, deadline=None)
@given(TEXTS, st.integers(1, 5))
def test_no_beginning_of_what_is_removed_ever_gets_out(text: str, size: int) -> None:
    expected = screened_text(text.encode(), RULES, Tally()).decode()
    passage, out = Passage(RULES, Tally()), ""
    for piece in split(text, [size]):
        out += passage.take(piece)
        assert expected.startswith(out)


VALUES = st.recursive(
    TEXTS
    | st.sampled_from([4111111111111111, 12, 3.5, True, None, 44051401359, 0.4111111111111111]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner),
    max_leaves=6,
)  # fmt: skip


@settings(max_examples=100, deadline=None)
@given(st.dictionaries(st.sampled_from("abc"), VALUES), SIZES, st.booleans())
def test_arguments_in_pieces_say_what_the_whole_document_does(
    said: Any, sizes: list[int], is_ascii: bool
) -> None:
    text = json.dumps(said, ensure_ascii=is_ascii)
    whole, tally = Tally(), Tally()
    expected = screened_document(text.encode(), RULES, whole)
    arguments = Arguments(RULES, tally)
    got = "".join([arguments.take(piece) for piece in split(text, sizes)] + [arguments.finish()])
    assert json.loads(got) == json.loads(expected)
    assert tally.found == whole.found


def test_plain_words_are_held_for_a_word_and_no_longer() -> None:
    passage = Passage(RULES, Tally())
    out = [passage.take(word) for word in ("The ", "quick ", "brown ", "fox ", "jumps ")]
    assert out == ["The ", "quick ", "brown ", "fox ", "jumps "]


def test_secrets_alone_hold_back_nothing_of_plain_words() -> None:
    passage = Passage(rules_for((("secret", REDACT),)), Tally())
    assert [passage.take(piece) for piece in ("The qui", "ck bro", "wn fo")] == [
        "The qui", "ck bro", "wn fo",
    ]  # fmt: skip


def test_what_is_held_has_an_end() -> None:
    passage, tally = Passage(RULES, held := Tally()), Tally()
    text = "eyJ" + "a" * (5 * LONGEST) + " " + TOKEN + " "
    out = "".join([passage.take(piece) for piece in split(text, [1024])] + [passage.finish()])
    assert out == screened_text(text.encode(), RULES, tally).decode()
    assert held.found == tally.found == {"secret": 1}


def test_a_key_without_its_end_is_removed_as_far_as_it_goes() -> None:
    cut = KEY_BLOCK[:80]
    assert streamed(cut, [3])[0] == "[redacted: secret]"
