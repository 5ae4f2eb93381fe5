"""What differs between two actions is marked, in a time that no text can make long."""

from __future__ import annotations

import time

from effects.launch.corrections import distance
from effects.showing import differences


def _alternating(word: str, count: int) -> str:
    return " ".join("the" if place % 2 else f"{word}{place}" for place in range(count))


def test_words_that_changed_are_marked_between_those_that_did_not() -> None:
    [change] = differences({"text": "see you today at noon"}, {"text": "see her today at six"})
    assert change.before == "see <del>you</del> today at <del>noon</del>"
    assert change.after == "see <ins>her</ins> today at <ins>six</ins>"
    [added] = differences({"text": "see you"}, {"text": "see you soon"})
    assert (added.before, added.after) == ("see you", "see you <ins>soon</ins>")


def test_texts_made_to_be_slow_are_compared_in_time() -> None:
    texts = 8
    before = {f"text{each}": f"begin {_alternating('x', 1400)} end" for each in range(texts)}
    after = {f"text{each}": f"begin {_alternating('y', 1400)} end" for each in range(texts)}
    began = time.monotonic()
    found = differences(before, after)
    distance(before, after)
    assert time.monotonic() - began < 60
    assert len(found) == texts
    assert found[0].before.startswith("begin <del>x0 the x2")
    assert found[0].before.endswith("</del> the end")
