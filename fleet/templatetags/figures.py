"""How amounts, times and names are written for people.

Pure functions from a value to its words. They never raise on a missing value: a page
that lacks a figure shows a dash, and never an invented zero.
"""

from __future__ import annotations

import zlib
from datetime import UTC, date, datetime
from decimal import ROUND_HALF_UP, Decimal

from django.utils import timezone

DASH = "\u2013"
_MINUS = "\u2212"
_SIGNS = {"USD": "$", "EUR": "€", "GBP": "£", "JPY": "¥"}
_STEPS = ((1_000_000_000, "B"), (1_000_000, "M"), (1_000, "k"))
_PERIODS = ((31_536_000, "yr"), (2_592_000, "mo"), (86_400, "d"), (3_600, "h"), (60, "min"))


def money(micros: int | None, currency: str = "USD") -> str:
    """Write an amount in micros; under a cent it keeps two significant digits."""
    if micros is None:
        return DASH
    amount = Decimal(micros) / 1_000_000
    size = abs(amount)
    if size == 0 or size >= Decimal("0.01"):
        text = f"{size.quantize(Decimal('0.01'), ROUND_HALF_UP):,}"
    else:
        text = f"{size.quantize(Decimal(1).scaleb(size.adjusted() - 1)).normalize():f}"
    return f"{_MINUS if amount < 0 else ''}{_SIGNS.get(currency, currency + ' ')}{text}"


def money_short(micros: int | None, currency: str = "USD") -> str:
    """Write an amount for a tile or an axis: thousands and more are shortened."""
    if micros is None or abs(micros) < 10_000 * 1_000_000:
        return money(micros, currency)
    sign = _MINUS if micros < 0 else ""
    return f"{sign}{_SIGNS.get(currency, currency + ' ')}{compact(abs(micros) / 1_000_000)}"


def count(value: float | None) -> str:
    """Write a number in full, grouped by thousands."""
    return DASH if value is None else f"{value:,}"


def compact(value: float | None) -> str:
    """Write a number in three or four characters: 950, 1.2k, 34M."""
    if value is None:
        return DASH
    size = abs(value)
    for step, suffix in _STEPS:
        # 999,500 rounds to a thousand thousands, which people write as one million.
        if size >= step * 0.9995:
            scaled = size / step
            text = f"{scaled:.0f}" if scaled >= 99.95 else f"{scaled:.1f}".removesuffix(".0")
            return f"{_MINUS if value < 0 else ''}{text}{suffix}"
    return f"{value:.3g}"


def percent(ratio: float | None, digits: int = 1) -> str:
    """Write a ratio of one as a percentage; 1 and 0 are only ever written when exact."""
    if ratio is None:
        return DASH
    text = f"{ratio * 100:.{digits}f}".removesuffix("." + "0" * digits)
    edge = 10**-digits
    if text == "100" and ratio < 1:
        return f">{100 - edge:.{digits}f}%"
    if text in ("0", "-0") and ratio > 0:
        return f"<{edge:.{digits}f}%"
    return f"{text}%"


def duration(milliseconds: float | None) -> str:
    """Write a length of time the way one reads a latency."""
    if milliseconds is None:
        return DASH
    if milliseconds < 1:
        return f"{milliseconds:.2g} ms"
    if milliseconds < 1_000:
        return f"{milliseconds:.0f} ms"
    seconds = milliseconds / 1_000
    if seconds < 60:
        return f"{seconds:.1f} s" if seconds >= 9.995 else f"{seconds:.2f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"


def relative(moment: datetime | date, now: datetime) -> str:
    """Say how long ago, or in how long, a moment is."""
    if not isinstance(moment, datetime):
        days = (moment - now.astimezone(UTC).date()).days
        return _phrase(abs(days), "d", later=days > 0) if days else "today"
    seconds = (moment - now).total_seconds()
    size = abs(seconds)
    for length, unit in _PERIODS:
        if size >= length:
            return _phrase(int(size // length), unit, later=seconds > 0)
    return "in a moment" if seconds > 5 else "just now"


def _phrase(number: int, unit: str, *, later: bool) -> str:
    # Beyond two months, days are harder to read than months.
    if unit == "d" and number > 60:
        number, unit = number // 30, "mo"
    return f"in {number} {unit}" if later else f"{number} {unit} ago"


def exact(moment: datetime | date) -> str:
    """Write a moment in full in the reader's zone, naming it."""
    if not isinstance(moment, datetime):
        return f"{moment.day} {moment:%b %Y}"
    local = moment.astimezone(timezone.get_current_timezone())
    return f"{local.day} {local:%b %Y, %H:%M %Z}"


def initials(name: str) -> str:
    """Take two letters that stand for a person."""
    words = [word for word in name.split("@")[0].replace(".", " ").split() if word[0].isalnum()]
    if not words:
        return "?"
    return (words[0][0] + (words[-1][0] if len(words) > 1 else "")).upper()


def series_of(name: str) -> str:
    """Pick the colour a name always has."""
    return f"series-{zlib.crc32(name.encode()) % 6 + 1}"
