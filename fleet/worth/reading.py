"""What an agent's texts say it does: tasks and things, in whatever words.

People name one job in many words and three languages, so words become concepts first: what is
done (sort, draft, check …) and to what (invoice, ticket, contract …). The lists are business
vocabulary, not the labelled pairs; words that are in neither stay as they are.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Final

from fleet.worth.vocabulary import empty_words, vocabulary

_WORD: Final = re.compile(r"[a-z0-9]+")
_ENDINGS: Final = (
    "ieren", "iert", "ations", "ation", "ungen", "ung", "ciones", "cion", "ings", "ing", "ments",
    "ment", "ies", "ers", "er", "es", "ed", "en", "os", "as", "s", "e", "n", "y",
)  # fmt: skip
_SHORTEST: Final = 4


@dataclass(frozen=True, slots=True)
class Said:
    """One text as a comparison reads it."""

    tasks: tuple[str, ...]
    things: tuple[str, ...]
    others: tuple[str, ...]


def read_text(text: str) -> Said:
    """Return the concepts of a text in the order in which they are said, each once a mention."""
    tasks: list[str] = []
    things: list[str] = []
    others: list[str] = []
    for word in _words(text):
        task, thing = _task_of(word), _thing_of(word)
        if task:
            tasks.append(task)
        if thing:
            things.extend(thing)
        if not task and not thing and (task := _joined(word, "tasks")):
            tasks.append(task)
        if not task and not thing:
            others.append(stem(word))
    return Said(tuple(tasks), tuple(things), tuple(others))


def stem(word: str) -> str:
    """Cut the ending off a word, so that its forms meet: crude, and the same everywhere."""
    for ending in _ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= _SHORTEST:
            return word[: -len(ending)]
    return word


def plain(text: str) -> str:
    """Return a text in lower case without accents; ß and ä as one types them without."""
    folded = text.lower().replace("ß", "ss")
    folded = folded.replace("ä", "ae").replace("ö", "oe").replace("ü", "ue")
    return "".join(c for c in unicodedata.normalize("NFKD", folded) if not unicodedata.combining(c))


def _words(text: str) -> Iterator[str]:
    told = plain(text)
    for phrase, word in vocabulary()["compounds"].items():
        if phrase in told:
            told = told.replace(phrase, word)
    for found in _WORD.findall(told):
        if len(found) > 1 and found not in empty_words() and not found.isdigit():
            yield found


@cache
def _known(which: str) -> dict[str, str]:
    """Every form of every word of a list, by its stem and as it is."""
    found: dict[str, str] = {}
    for concept, words in vocabulary()[which].items():
        for word in (concept, *words.split()):
            found.setdefault(word, concept)
            if len(stem(word)) > _SHORTEST:  # shorter ones meet by chance, across languages
                found.setdefault(stem(word), concept)
    return found


@cache
def _task_of(word: str) -> str:
    known = _known("tasks")
    return known.get(word) or known.get(stem(word), "")


@cache
def _thing_of(word: str) -> tuple[str, ...]:
    known = _known("things")
    whole = known.get(word) or known.get(stem(word))
    if whole:
        return (whole,)
    joined = _joined(word, "things")
    return (joined,) if joined else ()


@cache
def _joined(word: str, which: str) -> str:
    """The longest known part of a word that German writes together: Kundenbeschwerden."""
    known, best = _known(which), ""
    for cut in range(5, len(word) - 3) if len(word) >= 9 else ():
        for part in (word[:cut], word[:cut].removesuffix("s"), word[cut:], stem(word[cut:])):
            if len(part) >= max(5, len(best) + 1) and part in known:
                best = part
    return known[best] if best else ""
