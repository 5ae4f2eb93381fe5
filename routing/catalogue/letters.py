"""Reading a vendor's letter: which of some models it names, and which days.

A name counts where it stands as a whole word, so that a letter about gpt-5-mini says nothing of
gpt-5. What is found is shown to whoever enters the letter, and never acted on by itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import date
from typing import Final

LONGEST: Final = 20_000
_MONTHS: Final = {
    name: number
    for number, name in enumerate(
        ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"), 1
    )
}
_MONTH: Final = r"(jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]{0,6}\.?"
_DAYS: Final = re.compile(
    r"(?P<iso>\b\d{4}-\d{2}-\d{2}\b)"
    rf"|\b(?P<day>\d{{1,2}})(?:st|nd|rd|th|\.)?\s+{_MONTH},?\s+(?P<year>\d{{4}})\b"
    rf"|\b{_MONTH}\s+(?P<day2>\d{{1,2}})(?:st|nd|rd|th)?,?\s+(?P<year2>\d{{4}})\b",
    re.IGNORECASE,
)


def names_in_letter(text: str, known: Iterable[str]) -> list[str]:
    """Return those of some models that a letter names."""
    lowered = text.lower()
    return [name for name in known if _whole(name.lower()).search(lowered)]


def days_in_letter(text: str) -> list[date]:
    """Return the days that a letter names, each once, the soonest first."""
    return sorted({day for match in _DAYS.finditer(text) if (day := _day(match)) is not None})


def _whole(name: str) -> re.Pattern[str]:
    # A full stop ends a sentence as well as it goes on in a name such as gpt-4.1.
    return re.compile(rf"(?<![\w.:/-]){re.escape(name)}(?![\w:/-]|\.\w)")


def _day(match: re.Match[str]) -> date | None:
    try:
        if match["iso"]:
            return date.fromisoformat(match["iso"])
        month = next(one for one in match.groups() if one and one.lower() in _MONTHS)
        return date(
            int(match["year"] or match["year2"]),
            _MONTHS[month.lower()],
            int(match["day"] or match["day2"]),
        )
    except ValueError:
        return None
