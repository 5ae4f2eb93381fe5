"""Ends as a file for calendar programs (RFC 5545): a whole day each, with alarms before it.

Lines end in CRLF and are folded at 75 octets; what others wrote is escaped, never trusted.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import timedelta
from hashlib import sha256
from typing import Final

from fleet.campaigns.queries.calendar import NOTICES, End
from kernel import clock

_FOLD: Final = 75


def calendar_file(ends: Iterable[End], *, link: str) -> str:
    """Return a calendar with one event for each end."""
    lines = [
        "BEGIN:VCALENDAR",
        "VERSION:2.0",
        "PRODID:-//Unsprawl//Retirements//EN",
        "CALSCALE:GREGORIAN",
        "X-WR-CALNAME:Model retirements",
    ]
    for end in ends:
        lines += _event(end, link)
    lines.append("END:VCALENDAR")
    return "".join(f"{folded}\r\n" for line in lines for folded in _folded(line))


def _event(end: End, link: str) -> Iterator[str]:
    day, vague = end.ends_on, "at the earliest" if end.precision == "earliest" else ""
    title = f"{end.name} ({end.group}) ends {vague}".strip()
    said = [f"Replaced by: {', '.join(end.replacements) or 'nothing named'}."]
    if end.exposure is not None:
        said.append(f"Agents that depend on it: {end.exposure.agents}.")
    said.append(f"Source: {end.source} {end.as_of}".strip())
    yield "BEGIN:VEVENT"
    # The same from day to day, so that a moved end moves in the calendar too.
    yield f"UID:{sha256(end.key.encode()).hexdigest()[:32]}@retirements.unsprawl"
    yield f"DTSTAMP:{clock.now():%Y%m%dT%H%M%SZ}"
    yield f"DTSTART;VALUE=DATE:{day:%Y%m%d}"
    yield f"DTEND;VALUE=DATE:{day + timedelta(days=1):%Y%m%d}"
    yield f"SUMMARY:{_escaped(title)}"
    yield f"DESCRIPTION:{_escaped(' '.join(said))}"
    yield f"URL:{link}"
    yield "TRANSP:TRANSPARENT"
    for ahead in NOTICES:
        yield "BEGIN:VALARM"
        yield "ACTION:DISPLAY"
        yield f"DESCRIPTION:{_escaped(f'{end.name} ends in {ahead} days')}"
        yield f"TRIGGER:-P{ahead}D"
        yield "END:VALARM"
    yield "END:VEVENT"


def _escaped(text: str) -> str:
    kept = "".join(letter if letter >= " " else " " for letter in text)
    return kept.replace("\\", "\\\\").replace(";", "\\;").replace(",", "\\,")


def _folded(line: str) -> Iterator[str]:
    piece, size = "", 0
    for letter in line:
        width = len(letter.encode())
        if size + width > _FOLD:
            yield piece
            piece, size = " ", 1
        piece, size = piece + letter, size + width
    yield piece
