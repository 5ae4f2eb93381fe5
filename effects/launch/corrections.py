"""How far an edit went: counts of places and words, kept without what was there.

Kept when a reviewer edits, because that is when both versions are in memory anyway;
figures are then made without opening a payload.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from difflib import SequenceMatcher
from typing import Any, Final

from django.db.models.functions import Now

from effects.launch.figures import Share
from effects.models import Correction, Proposal

# Two long texts are compared by their beginning: a figure, not a proof, and comparing takes the
# third power of their length at worst.
MOST_WORDS: Final = 300


def keep_correction(
    proposal: Proposal, asked: Mapping[str, Any], decided: Mapping[str, Any]
) -> Correction:
    """Keep how far the arguments that were decided on are from those that were asked.

    The last edit of an action counts. Records: nothing; who edited records the edit.
    """
    paths, words = distance(asked, decided)
    kept, _ = Correction.objects.update_or_create(
        proposal=proposal,
        defaults={
            "paths": paths.whole,
            "paths_changed": paths.part,
            "words": words.whole,
            "words_changed": words.part,
            "made_at": Now(),
        },
    )
    return kept


def distance(asked: Mapping[str, Any], decided: Mapping[str, Any]) -> tuple[Share, Share]:
    """Return the share of leaves that differ, and of words of changed texts that differ."""
    before, after = dict(_leaves(asked)), dict(_leaves(decided))
    places = before.keys() | after.keys()
    changed = [place for place in places if _differ(before, after, place)]
    words = [_words(before.get(place), after.get(place)) for place in changed]
    known = [share for share in words if share is not None]
    return Share(len(changed), len(places)), Share(
        sum(one.part for one in known), sum(one.whole for one in known)
    )


def _differ(before: Mapping[str, Any], after: Mapping[str, Any], place: str) -> bool:
    if place not in before or place not in after:
        return True
    one, other = before[place], after[place]
    # In Python True equals 1, and 1 equals 1.0; in a document the first pair differs.
    return isinstance(one, bool) != isinstance(other, bool) or bool(one != other)


def _words(one: object, other: object) -> Share | None:
    texts = [text for text in (one, other) if isinstance(text, str)]
    if not texts:
        return None
    first = one.split()[:MOST_WORDS] if isinstance(one, str) else []
    second = other.split()[:MOST_WORDS] if isinstance(other, str) else []
    matcher = SequenceMatcher(None, first, second, autojunk=False)
    same = sum(block.size for block in matcher.get_matching_blocks())
    longest = max(len(first), len(second))
    return Share(longest - same, longest)


def _leaves(value: object, place: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping) and value:
        for name, below in value.items():
            yield from _leaves(below, f"{place}/{name}")
    elif isinstance(value, list) and value:
        for index, below in enumerate(value):
            yield from _leaves(below, f"{place}/{index}")
    else:
        yield place, value
